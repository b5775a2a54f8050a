"""Every cause: how it looks, why it happens, and what to do about it.

One row for each member of ``Cause``; ``docs/reference/causes.md`` is generated from here. ``looks``
are texts as libpq, PostgreSQL, OpenSSL or DMS write them; each is read back as its own cause by a
test. A cause without one is something that Certifier finds out by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from certifier.vocabulary import Cause, Severity, Stage


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the catalogue knows of one cause.

    Attributes:
        severity: of a finding with this cause, unless the finder knows better.
        may_clear_by_itself: it may go away without an event (a server reloads, a network
            heals), so the source is looked at again soon instead of tomorrow.
        looks: texts that mean this cause.
        why: how it comes about.
        remedy: what a person does next.
        at: the remedy instead, once the connection has come so far.
    """

    cause: Cause
    severity: Severity = Severity.ERROR
    may_clear_by_itself: bool = False
    looks: tuple[str, ...] = ()
    why: str
    remedy: str
    at: Mapping[Stage, str] = field(default_factory=dict)

    def remedy_at(self, stage: Stage | None) -> str:
        """What a person does next, when it was seen at this stage."""
        return self.remedy if stage is None else self.at.get(stage, self.remedy)


def _row(
    cause: Cause,
    *looks: str,
    why: str,
    remedy: str,
    severity: Severity = Severity.ERROR,
    may_clear_by_itself: bool = False,
    at: Mapping[Stage, str] = MappingProxyType({}),
) -> Row:
    return Row(
        cause=cause,
        severity=severity,
        may_clear_by_itself=may_clear_by_itself,
        looks=looks,
        why=why,
        remedy=remedy,
        at=at,
    )


NO_CA = "is not a CA: it lacks basicConstraints CA:TRUE, or keyCertSign in its keyUsage"
MAKE_A_CA = (
    "Make the CA anew with basicConstraints CA:TRUE and keyUsage keyCertSign, and sign the "
    "server's certificate with it: "
    "`openssl req -x509` makes such a CA, `openssl x509 -req -signkey` without -extfile does not. "
    "`certifier make-certificates` makes both."
)
"""What to do where a certificate that is not a CA has signed another."""

_WARNING, _ADVICE = Severity.WARNING, Severity.ADVICE

_STUCK_BEFORE_TLS = (
    "The network lets the connection through: security groups and routes are good. What listens "
    "there does not go on: a load balancer without a healthy target, a server with too much to do, "
    "or something that is not PostgreSQL and waits for other words."
)
_STUCK_LATER = (
    "Network and TLS are good. The server, or a pooler in front of it, does not go on: look at its "
    "load and locks, at an authentication service that it waits for (LDAP, RADIUS, PAM), and in "
    "PgBouncer at SHOW POOLS, for clients that wait for a server connection."
)
_HUNG_UP_BEFORE_TLS = (
    'Look into the server\'s log at that moment. "invalid length of startup packet" is a load '
    "balancer that sends PROXY headers, which PostgreSQL does not know: turn them off (on a "
    "Network Load Balancer proxy_protocol_v2, in HAProxy send-proxy). The reverse, a proxy that "
    "demands them (accept-proxy), hangs up on DMS too. If the log shows nothing, look at what "
    "stands between: load balancer, proxy, firewall."
)
_HUNG_UP_LATER = (
    "Network and TLS are good. Look into the server's log at that moment; where a pooler stands in "
    "front, into the pooler's, and at whether it reaches PostgreSQL with this user and database."
)

_REACHING = (
    _row(
        Cause.HOST_INVALID,
        "Incorrect thread connection string: Incorrect thread value 0",
        'could not parse network address "10.0.0.300": Name or service not known',
        'invalid port number: "54x2"',
        why="The host name or port is not well-formed: empty, a blank or other character that no "
        "host name has, a label over 63 characters, or a port outside 1 to 65535.",
        remedy="Correct the host and port of the source and of the endpoint: a DNS name or an IP "
        "address, without blanks, scheme or port in it.",
    ),
    _row(
        Cause.ADDRESS_FORBIDDEN,
        why="The host resolves to an address that this installation does not connect to: loopback, "
        "link-local, the metadata service, or one outside the allowed hosts and ports. Otherwise a "
        "source could make the probe talk to services that are not databases.",
        remedy="Correct the host or its DNS record. If the address is meant, whoever deploys the "
        "stack adds it to the settings probe_hosts and probe_ports and deploys; loopback, "
        "link-local and metadata addresses are never allowed outside of the sandbox.",
    ),
    _row(
        Cause.DNS_FAILED,
        'could not translate host name "nope.invalid" to address: Name or service not known',
        'could not translate host name "db.test" to address: Temporary failure in name resolution',
        "lookup db.test on 10.0.0.2:53: no such host",
        why="The host name does not resolve where the connection is made: a typing error, a record "
        "that is gone, or a private zone that is not associated with that VPC.",
        remedy="Look the name up from the same network. For a private zone, associate it with the "
        "VPC and turn on DNS support and DNS host names there.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CONNECTION_REFUSED,
        'connection to server at "127.0.0.1", port 1 failed: Connection refused '
        "Is the server running on that host and accepting TCP/IP connections?",
        "dial tcp 10.0.1.163:5432: connect: connection refused",
        "server login has been failing, cached error: connect failed (server_login_retry)",
        why="The host is there, but nothing listens on that port: PostgreSQL is stopped, listens "
        "on another port, or listen_addresses holds only localhost. A pooler says so of the server "
        "behind it.",
        remedy="Start PostgreSQL; check its port and listen_addresses (a change needs a restart), "
        "and what a pooler in front of it has as its host.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.HOST_UNREACHABLE,
        'connection to server at "10.9.9.9", port 5432 failed: No route to host '
        "Is the server running on that host and accepting TCP/IP connections?",
        'connection to server at "10.9.9.9", port 5432 failed: Network is unreachable '
        "Is the server running on that host and accepting TCP/IP connections?",
        why="There is no route to the host, or a firewall answers in its place. An IPv6 address "
        "in a network without IPv6 looks the same.",
        remedy="Check the route tables, peerings and network ACLs between the two subnets.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CONNECTION_TIMEOUT,
        "timeout expired",
        "Message: [unixODBC]timeout expired",
        "Code: [DMS-00002], Message: [dial tcp 10.0.1.163:3306: i/o timeout]",
        'connection to server at "10.9.9.9", port 5432 failed: Connection timed out '
        "Is the server running on that host and accepting TCP/IP connections?",
        why="No answer in time. Before TLS this is nearly always a security group or firewall that "
        "drops packets; later it is a server that is overloaded or stuck.",
        remedy="Allow the port from the security group of the replication instance (or of the "
        "probe) in the security group of the database, and check network ACLs and routes.",
        at={
            Stage.DNS: "Look at the name servers of that network: whether they answer, and whether "
            "security groups and network ACLs let port 53 through.",
            Stage.SSL_REQUEST: _STUCK_BEFORE_TLS,
            Stage.TLS: _STUCK_BEFORE_TLS,
            Stage.STARTUP: _STUCK_LATER,
            Stage.LOGIN: _STUCK_LATER,
            Stage.QUERY: _STUCK_LATER,
        },
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CONNECTION_RESET,
        "server closed the connection unexpectedly This probably means the server terminated "
        "abnormally before or while processing the request.",
        "SSL SYSCALL error: EOF detected",
        "SSL SYSCALL error: Connection reset by peer",
        "could not receive data from server: Connection reset by peer",
        "SSL error: unexpected eof while reading",
        why="The other side ended the connection in the middle: a load balancer without a healthy "
        "target, a firewall, a proxy that does not take this client, or a crashing server.",
        remedy="Look into the server's log at that moment; if it shows nothing, look at what "
        "stands between: load balancer, proxy, firewall.",
        at={
            Stage.SSL_REQUEST: _HUNG_UP_BEFORE_TLS,
            Stage.TLS: "Look at what ends TLS there: whether it takes this server name, this "
            "version of TLS and clients without a certificate; its log says why it hung up.",
            Stage.STARTUP: _HUNG_UP_LATER,
            Stage.LOGIN: _HUNG_UP_LATER,
            Stage.QUERY: "Network, TLS and login are good. A pooler's console (in PgBouncer the "
            "database pgbouncer) takes its own commands alone: name the real database. Otherwise "
            "the server's log, or the pooler's, says who ended the session.",
        },
        may_clear_by_itself=True,
    ),
)

_SPEAKING = (
    _row(
        Cause.NOT_POSTGRESQL,
        "received invalid response to SSL negotiation: H",
        "expected authentication request from server, but received H",
        why="Something answers on that port, but it does not speak PostgreSQL's protocol: a web "
        "server, another database, or a TLS-only proxy.",
        remedy="Correct host and port. If a proxy stands there, it must pass the PostgreSQL "
        "protocol through, its SSLRequest included.",
    ),
    _row(
        Cause.SSL_OFF,
        "server does not support SSL, but SSL was required",
        "hostssl record cannot match because SSL is disabled",
        'could not access private key file "server.key": Permission denied',
        'private key file "server.key" has group or world access',
        "SSL certificate and key parameters must be set to load SSL",
        why="PostgreSQL answered that it has no TLS: ssl is off, or it could not load its "
        "certificate or key.",
        remedy="Set ssl = on, ssl_cert_file and ssl_key_file; the key file must belong to the "
        "server's user and have mode 0600. Then reload: SELECT pg_reload_conf(). If it stays off, "
        "the server's log says why; a PostgreSQL that was built without TLS needs another package. "
        "Behind PgBouncer: client_tls_sslmode = require, client_tls_cert_file and "
        "client_tls_key_file, then RELOAD; in pgpool: ssl = on, ssl_cert and ssl_key; stunnel "
        "needs protocol = pgsql.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.PROTOCOL_VIOLATION,
        'lost synchronization with server: got message type "x", length 1684108385',
        "received unencrypted data after SSL response",
        "unexpected message from server during startup",
        "server sent an error response during SSL exchange",
        why="The server broke the rules of the PostgreSQL protocol: bytes before TLS that may be "
        "an injection, impossible lengths, or messages out of place.",
        remedy="Find out what answers there (proxy, load balancer, pooler) before trusting it with "
        "a password; update it.",
    ),
    _row(
        Cause.TLS_ALERT,
        "SSL error: tlsv1 alert internal error",
        "SSL error: sslv3 alert illegal parameter",
        "SSL error: ssl/tls alert bad record mac",
        why="The server ended the TLS handshake with an alert.",
        remedy="The name of the alert says what it did not like; the server's log has its side.",
    ),
    _row(
        Cause.TLS_FAILED,
        "SSL error: wrong version number",
        "SSL error: packet length too long",
        "could not establish SSL connection: no SSL error reported",
        "SSL error code 167772454",
        why="The TLS handshake failed for a reason of its own: what came is not TLS, or is damaged "
        "on the way.",
        remedy="Check what terminates TLS there, and the server's log at that moment.",
    ),
    _row(
        Cause.TLS_NO_SHARED_PROTOCOL,
        "SSL error: tlsv1 alert protocol version This may indicate that the server does not "
        "support any SSL protocol version between TLSv1.2 and TLSv1.3.",
        "SSL error: unsupported protocol",
        "SSL error: no protocols available",
        why="Client and server have no TLS version in common: an old server without TLS 1.2, or "
        "ssl_min_protocol_version and ssl_max_protocol_version that leave nothing.",
        remedy="Set ssl_min_protocol_version = 'TLSv1.2' and leave ssl_max_protocol_version empty "
        "on the server, then reload. Where something stands in front, set its own: in PgBouncer "
        "client_tls_protocols = secure, in HAProxy ssl-min-ver TLSv1.2.",
    ),
    _row(
        Cause.DIRECT_TLS_ONLY,
        why="What answers on that port expects TLS from the first byte, as an HTTPS server does. "
        "PostgreSQL's clients ask for TLS first, DMS among them; only libpq 17 and newer can do "
        "without, if asked to (sslnegotiation=direct).",
        remedy="Let PostgreSQL's protocol through: in HAProxy `mode tcp` and no `ssl` on the "
        "`bind` line, in nginx `stream` and no `ssl` on the `listen` line, in stunnel "
        "`protocol = pgsql`, on a load balancer a TCP listener in place of a TLS one.",
    ),
    _row(
        Cause.TLS_NO_SHARED_CIPHER,
        "SSL error: sslv3 alert handshake failure",
        "SSL error: ssl/tls alert handshake failure",
        "SSL error: no shared cipher",
        "SSL error: dh key too small",
        why="Client and server have no cipher, curve or signature in common: ssl_ciphers does not "
        "fit the type of the server's key, or allows only what is too weak today.",
        remedy="Reset ssl_ciphers (and ssl_groups) to the default on the server and reload; an "
        "ECDSA key needs ECDSA ciphers, an RSA key RSA ones.",
    ),
    _row(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        "FATAL:  connection requires a valid client certificate",
        'FATAL:  certificate authentication failed for user "app"',
        "SSL error: tlsv13 alert certificate required",
        "SSL error: tlsv1 alert unknown ca",
        "could not accept SSL connection: certificate verify failed",
        why="The server wants a client certificate (clientcert or cert in pg_hba.conf), or does "
        "not trust the one that it got. A DMS endpoint has no client certificate.",
        remedy="Give the DMS user a hostssl line with scram-sha-256 and without clientcert, above "
        "the others in pg_hba.conf, and reload. A client that must have a certificate needs one of "
        "the CA in the server's ssl_ca_file.",
    ),
    _row(
        Cause.SNI_MISSING,
        "ERROR:  Endpoint ID is not specified. Either please upgrade the postgres client library "
        "(libpq) for SNI support or pass the endpoint ID as a parameter",
        why="A proxy that serves many databases finds the right one by the host name that the "
        "client puts into the TLS handshake (SNI). It got none: the host is an IP address, the "
        "connection has no TLS, or the client's libpq is older than version 14.",
        remedy="Name the host by its DNS name, with TLS (ssl_mode require or more). Where the "
        "client is too old, give the name of the endpoint the way the provider documents (in the "
        "options, the user or the password), or connect past the proxy.",
    ),
)

_VERIFYING = (
    _row(
        Cause.CA_BUNDLE_MISSING,
        'root certificate file "/nope" does not exist Either provide the file or change sslmode '
        "to disable server certificate verification.",
        'root certificate file "/nope" does not exist Either provide the file, use the system\'s '
        "trusted roots with sslrootcert=system, or change sslmode to disable server certificate "
        "verification.",
        why="verify-ca and verify-full need trusted CA certificates, and there are none.",
        remedy="Name a ca_bundle in the source (for the command line: --ca-bundle), or put the CA "
        "into the secret of the server's pair.",
    ),
    _row(
        Cause.CA_BUNDLE_INVALID,
        'could not read root certificate file "/x.pem": no certificate or crl found',
        'could not read root certificate file "/x.pem": bad base64 decode',
        why="The file of trusted CAs holds no certificate that can be read.",
        remedy="Supply the CA certificates in PEM, from BEGIN CERTIFICATE to END CERTIFICATE.",
    ),
    _row(
        Cause.CRL_INVALID,
        why="The revocation list holds nothing that can be read.",
        remedy="Supply the CRLs of every CA in the chain, in PEM.",
    ),
    _row(
        Cause.CHAIN_INCOMPLETE,
        "certificate verify failed: unable to verify the first certificate",
        why="A certificate between the server's and the trusted root is missing: PostgreSQL serves "
        "its certificate without the intermediates.",
        remedy="Put leaf and intermediates, leaf first, into ssl_cert_file and reload. If the "
        "issuer that is missing is the root itself, the server is right and the CA bundle is the "
        "wrong one: put the root of the served chain into it.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.UNKNOWN_AUTHORITY,
        "certificate verify failed: unable to get local issuer certificate",
        "certificate verify failed: self-signed certificate in certificate chain",
        "x509: certificate signed by unknown authority",
        "certificate verify failed: unable to get issuer certificate",
        "could not accept SSL connection: tlsv1 alert unknown ca",
        why="The served chain ends in a CA that is not in the bundle: another CA has signed since, "
        "or the bundle belongs to another environment, or holds an intermediate without its root "
        "(libpq trusts nothing that does not end in a self-signed root). RDS Proxy and Aurora "
        "Serverless v1 use Amazon Trust Services, not the RDS bundle.",
        remedy="Put the root of the served chain into the CA bundle, if it is meant to be trusted; "
        "otherwise give the server a certificate of the trusted CA and reload.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SELF_SIGNED,
        "certificate verify failed: self-signed certificate",
        "certificate verify failed: self signed certificate",
        why="The server's certificate is signed by itself, and it is not among the trusted ones.",
        remedy="Issue a certificate from a CA for the server. Until then ssl_mode require "
        "encrypts, and verifies nothing.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SIGNATURE_INVALID,
        "SSL error: invalid padding",
        "SSL error: last octet invalid",
        "SSL error: EVP lib",
        "SSL error: provider signature failure",
        "SSL error: wrong public key type",
        "certificate verify failed: certificate signature failure",
        why="A signature in the chain does not fit the trusted CA's key: the CA was made anew "
        "under its old name, or a certificate is damaged.",
        remedy="Compare the fingerprints of the CA that signed and of the CA in the bundle, and "
        "supply the one that signed.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CERTIFICATE_EXPIRED,
        "certificate verify failed: certificate has expired",
        "SSL error: sslv3 alert certificate expired",
        why="A certificate of the chain is past its last day, or the clock is wrong.",
        remedy="Renew the certificate that is named, install it in ssl_cert_file and reload: "
        "SELECT pg_reload_conf(). Where something in front ends TLS, install it there (in "
        "PgBouncer client_tls_cert_file, then RELOAD).",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CERTIFICATE_NOT_YET_VALID,
        "certificate verify failed: certificate is not yet valid",
        why="A certificate of the chain begins in the future, or the clock is wrong.",
        remedy="Wait for its first day or issue it anew; check the clocks of CA and server.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CERTIFICATE_REVOKED,
        "certificate verify failed: certificate revoked",
        why="The revocation list names a certificate of the chain.",
        remedy="Issue a new certificate with a new key; find out why this one was revoked.",
    ),
    _row(
        Cause.CRL_UNAVAILABLE,
        "certificate verify failed: unable to get certificate CRL",
        "certificate verify failed: CRL has expired",
        why="A revocation list was given, but not a current one for every CA in the chain; libpq "
        "then trusts nothing.",
        remedy="Supply a current CRL for each CA from the leaf's issuer up to the root.",
    ),
    _row(
        Cause.CERTIFICATE_WRONG_PURPOSE,
        "certificate verify failed: unsupported certificate purpose",
        "certificate verify failed: unsuitable certificate purpose",
        why="The certificate is not meant for a server: its extended key usage lacks serverAuth.",
        remedy="Issue it with extendedKeyUsage serverAuth.",
    ),
    _row(
        Cause.CERTIFICATE_WEAK,
        "certificate verify failed: EE certificate key too weak",
        "certificate verify failed: CA signature digest algorithm too weak",
        "SSL error: ee key too small",
        "SSL error: ca md too weak",
        why="A key under 2048 bits or a SHA-1 signature, which today's OpenSSL refuses. An older "
        "client may still accept it.",
        remedy="Issue the certificate anew with RSA 2048 or more, or ECDSA, and SHA-256.",
    ),
    _row(
        Cause.CERTIFICATE_REJECTED,
        "SSL error: certificate verify failed",
        "certificate verify failed: invalid CA certificate",
        "certificate verify failed: path length constraint exceeded",
        "SSL error: invalid certificate",
        "SSL error: utctime is too short",
        why="libpq says no more than this, whatever is wrong: an unknown or incomplete chain, an "
        "expired certificate, a wrong CA, a revoked certificate, a wrong purpose.",
        remedy="Run `certifier probe HOST --ca-bundle FILE`: it names which of them it is.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CERTIFICATE_UNREADABLE,
        why="A certificate that the server sends holds something that cannot be read: a version "
        "that does not exist, an extension or a name in a form that X.509 does not know, values "
        "nested without end. OpenSSL may let it pass where other clients do not.",
        remedy="Issue the certificate again with a usual tool or CA. If nobody made it on purpose, "
        "find out what answers at that address before trusting it with a password.",
    ),
    _row(
        Cause.HOSTNAME_MISMATCH,
        'server certificate for "db.test" does not match host name "localhost"',
        'server certificate for "db.test" (and 1 other name) does not match host name "10.0.0.9"',
        "could not get server's host name from server certificate",
        "SSL certificate's name contains embedded null",
        "certificate verify failed: Hostname mismatch, certificate is not valid for 'db.test'.",
        "x509: certificate is valid for db.test, not localhost",
        why="verify-full wants the host in the certificate: as a DNS name of its SAN (for an IP "
        "address: an IP of its SAN), or as its CN when it has no such name.",
        remedy="Issue the certificate with the host in its SAN and reload, or connect by a name "
        "that it has. verify-ca does not look at the name.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.HOSTNAME_READING_DIFFERS,
        why="The host is an IP address or the certificate has unusual names; libpq before "
        "version 15 reads that differently, and which one DMS uses is not documented.",
        remedy="Connect by a DNS name that stands in the SAN: all versions agree on it.",
        severity=_ADVICE,
    ),
    _row(
        Cause.CLIENT_READING_DIFFERS,
        why="Versions of libpq differ on this: in what they offer in the TLS handshake (ALPN since "
        "17, the server name since 14, TLS 1.2 at least since 13) or in what they understand. "
        "Which one DMS was built with is not documented, so its own test decides.",
        remedy='Make both work: let what stands in front accept ALPN "postgresql", serve the same '
        "certificate without a server name, and speak TLS 1.2. Until then believe the rehearsal.",
        severity=_WARNING,
    ),
)

_LOGGING_IN = (
    _row(
        Cause.PASSWORD_MISSING,
        "fe_sendauth: no password supplied",
        "FATAL:  empty password returned by client",
        "An error occurred (InvalidParameterCombinationException) when calling the CreateEndpoint "
        "operation: The parameter Password must be provided and must not be blank",
        why="The server asks for a password, and none was given.",
        remedy="Give the source credentials, or the endpoint a password; on the command line: "
        "--password-env.",
    ),
    _row(
        Cause.PASSWORD_REJECTED,
        'FATAL:  password authentication failed for user "postgres"',
        "server login has been failing, cached error: FATAL: password authentication failed for "
        'user "app" (server_login_retry)',
        'ERROR:  username "app" or password does not exist in backend',
        why="The password is wrong, the role does not exist (PostgreSQL says the same, so that "
        "nobody can guess roles), has no password, or its password has expired.",
        remedy="Compare the secret with the role: ALTER ROLE ... PASSWORD, or correct the secret. "
        "The server's log says more, behind DETAIL: no such role, no password, an expired one "
        "(rolvaliduntil in pg_roles), or one that is stored as MD5 where pg_hba.conf asks for "
        "SCRAM. With ldap or radius in pg_hba.conf the password is the directory's. A pooler has "
        "a list of passwords of its own (in PgBouncer auth_file or auth_query, in pgpool "
        "pool_passwd).",
    ),
    _row(
        Cause.ROLE_NEEDS_IAM,
        'FATAL:  PAM authentication failed for user "postgres"',
        why="The server asked PAM, not its own list of passwords. On RDS and Aurora every member "
        "of rds_iam is asked for an IAM token that way, and no password opens it; membership "
        "through another role counts too.",
        remedy="Take the role out of it (REVOKE rds_iam FROM ...) and give it a password, or use a "
        "role of its own for DMS. Outside of RDS: give the DMS user a hostssl line with "
        "scram-sha-256 above the one with pam in pg_hba.conf, and reload.",
    ),
    _row(
        Cause.UNSAFE_PASSWORD_REQUEST,
        "channel binding required, but server authenticated client without channel binding",
        "incorrect server signature",
        why="The server asked for the password in clear text or as MD5, or dropped channel "
        "binding, on a connection that is not verified: a relay in between could read it. The "
        "probe did not answer. DMS would, so an endpoint that is to be created or changed is "
        "refused; one that stays as it is sends its password already.",
        remedy="Set password_encryption = 'scram-sha-256', set the role's password again, use "
        "scram-sha-256 in pg_hba.conf; or verify the server with verify-full.",
        severity=_WARNING,
    ),
    _row(
        Cause.AUTHENTICATION_UNSUPPORTED,
        "authentication method 7 not supported",
        "none of the server's SASL authentication mechanisms are supported",
        'FATAL:  Ident authentication failed for user "postgres"',
        'FATAL:  Peer authentication failed for user "postgres"',
        why="pg_hba.conf asks this user for a method that a password cannot answer: ident, peer, "
        "GSSAPI, SSPI, OAuth.",
        remedy="Give the DMS user a hostssl line with scram-sha-256 above the others, and reload.",
    ),
    _row(
        Cause.ROLE_MISSING,
        'FATAL:  role "nope" does not exist',
        why="There is no such role on the server.",
        remedy="CREATE ROLE ... LOGIN, or correct the user name; a mixed-case name needs quotes.",
    ),
    _row(
        Cause.DATABASE_MISSING,
        'FATAL:  database "nope" does not exist',
        'FATAL:  cannot connect to invalid database "nope"',
        why="There is no such database on the server, or only a half-deleted one.",
        remedy="Correct the database name of source and endpoint; names are case-sensitive.",
    ),
    _row(
        Cause.HBA_REJECTED,
        'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "orders", '
        "SSL encryption",
        'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "orders", SSL on',
        'FATAL:  pg_hba.conf rejects connection for host "10.0.0.9", user "app", database '
        '"orders", SSL encryption',
        why="No line of pg_hba.conf lets this user in from this address with TLS, or a reject "
        "line comes first.",
        remedy="Add `hostssl DATABASE USER ADDRESS/MASK scram-sha-256` above any reject line and "
        "reload; pg_hba_file_rules shows mistakes in the file.",
    ),
    _row(
        Cause.HBA_REJECTED_PLAINTEXT,
        'FATAL:  no pg_hba.conf entry for host "172.31.1.64", user "postgres", database '
        '"postgres", no encryption',
        'FATAL:  no pg_hba.conf entry for host "172.31.1.64", user "postgres", database '
        '"postgres", SSL off',
        "SSL connection is required. Please specify SSL options and retry.",
        "This RDS Proxy requires TLS connections",
        why="The connection was made in plain text, and the server takes none: only hostssl "
        "lines, or rds.force_ssl (on by default from RDS PostgreSQL 15 and Aurora 17).",
        remedy="Raise ssl_mode, in the source or on the endpoint, to require or, better, "
        "verify-full with the CA.",
    ),
    _row(
        Cause.HBA_FILE_INVALID,
        "LOG:  pg_hba.conf was not reloaded",
        'LOG:  invalid authentication method "scram-sha256"',
        'LOG:  invalid connection type "hostsl"',
        "LOG:  end-of-line before authentication method",
        why="There is a mistake in pg_hba.conf (or pg_ident.conf). PostgreSQL goes on with the "
        "lines that it read before, and does not start with such a file.",
        remedy="SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL names "
        "every wrong line. Correct them, then reload: SELECT pg_reload_conf().",
    ),
    _row(
        Cause.HBA_FILE_UNREADABLE,
        'LOG:  could not open file "/var/lib/postgresql/data/pg_hba.conf": Permission denied',
        'LOG:  could not open configuration file "/etc/postgresql/pg_hba.conf": No such file or '
        "directory",
        why="PostgreSQL cannot open pg_hba.conf: it is not where hba_file says, or the server's "
        "user may not read it (it was written by root, or mounted so).",
        remedy="Compare SHOW hba_file with where the file is; make the server's user its owner, "
        "with mode 0600 or 0640, then reload: SELECT pg_reload_conf().",
    ),
    _row(
        Cause.PERMISSION_DENIED,
        'FATAL:  permission denied for database "orders"',
        'FATAL:  role "app" is not permitted to log in',
        "FATAL:  must be superuser or replication role to start walsender",
        'FATAL:  database "orders" is not currently accepting connections',
        why="Role and password are right, but the role may not do that.",
        remedy="GRANT CONNECT ON DATABASE, ALTER ROLE ... LOGIN (for change data capture also "
        "REPLICATION or rds_replication), or ALTER DATABASE ... ALLOW_CONNECTIONS true.",
    ),
    _row(
        Cause.TOO_MANY_CONNECTIONS,
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        'FATAL:  too many connections for role "app"',
        'FATAL:  too many connections for database "orders"',
        "FATAL:  no more connections allowed (max_client_conn)",
        "Timed-out waiting to acquire database connection",
        why="All slots of the server, role, database or pooler are taken.",
        remedy="Find the sessions in pg_stat_activity; raise max_connections, the CONNECTION "
        "LIMIT or the limit of the pooler, whichever is named, or put fewer clients on it.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SERVER_STARTING,
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is not yet accepting connections",
        "FATAL:  the database system is not accepting connections DETAIL:  Hot standby mode is "
        "disabled.",
        "FATAL:  the database system is in recovery mode",
        why="The server is starting, recovering after a crash, or a standby that takes no "
        "sessions.",
        remedy="Wait until recovery has ended. A standby needs hot_standby = on; point the source "
        "at the primary for change data capture.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SERVER_SHUTTING_DOWN,
        "FATAL:  the database system is shutting down",
        "FATAL:  terminating connection due to administrator command",
        why="The server is being stopped or restarted.",
        remedy="Wait for the restart; a session that does not end holds up a smart shutdown.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.POOLER_REJECTED,
        "FATAL:  (ENOTFOUND) tenant/user migrate.abcdef not found",
        "FATAL:  Tenant or user not found",
        "FATAL:  no such database: orders",
        "FATAL:  unsupported startup parameter: extra_float_digits",
        "server login has been failing, try again later (server_login_retry)",
        why="A pooler or proxy (PgBouncer, Supavisor, RDS Proxy, Neon) answered in place of "
        "PostgreSQL, and does not pass this user, database or parameter through.",
        remedy="Register user and database in the pooler, or point the source at PostgreSQL "
        "itself: change data capture does not work through a pooler.",
    ),
    _row(
        Cause.TLS_ENDS_AT_PROXY,
        why="The login works, but TLS ends before PostgreSQL: its own row in pg_stat_ssl says that "
        "this session has no TLS, or another, or it does not bind SCRAM to the TLS of this "
        "connection. A pooler, proxy or tunnel ends TLS, and what is behind it is not what was "
        "verified. Certificate and TLS settings are its own: in PgBouncer client_tls_sslmode and "
        "client_tls_cert_file, in pgpool ssl_cert and ssl_key, in stunnel cert and key, in HAProxy "
        "crt; RDS Proxy serves a certificate of AWS.",
        remedy="Point the source at PostgreSQL itself: change data capture does not work through "
        "a pooler. If it must stay, give it TLS towards the server too (in PgBouncer "
        "server_tls_sslmode = verify-full and server_tls_ca_file).",
        severity=_WARNING,
    ),
    _row(
        Cause.PLAINTEXT_ACCEPTED,
        why="The server takes logins without TLS: a host line in pg_hba.conf where hostssl is "
        "meant. A client with a weak ssl_mode would send everything in clear text.",
        remedy="Turn host into hostssl for remote addresses in pg_hba.conf and reload, or set "
        "rds.force_ssl = 1.",
        severity=_WARNING,
    ),
)

_READING_CHANGES = (
    _row(
        Cause.SLOT_ACTIVE,
        'ERROR:  replication slot "dms_slot" is active for PID 4711',
        why="Another session reads from the replication slot: an earlier start of the task whose "
        "session has not ended yet, or a second task with the same slot.",
        remedy="Wait until the old session has ended (wal_sender_timeout), or end it: SELECT "
        "pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = ... Two "
        "tasks need two slots.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SLOT_LOST,
        'ERROR:  replication slot "dms_slot" does not exist',
        "ERROR:  requested WAL segment 000000010000000000000001 has already been removed",
        'ERROR:  can no longer get changes from replication slot "dms_slot"',
        why="The replication slot was dropped or invalidated (max_slot_wal_keep_size), or the "
        "server has thrown away the WAL that the task would read on from. After a failover, slots "
        "of the old primary are missing.",
        remedy="What is gone cannot be read on from: restart the task with a new full load, or "
        "from a point that the server still has. Raise max_slot_wal_keep_size, and watch inactive "
        "slots.",
    ),
    _row(
        Cause.WAL_LEVEL_LOW,
        "ERROR:  logical decoding requires wal_level >= logical",
        why="Change data capture reads the logical WAL, and the server does not write it.",
        remedy="Set wal_level = logical and restart PostgreSQL; on RDS and Aurora set "
        "rds.logical_replication = 1 in the parameter group and reboot.",
    ),
)

_LIKENESS = (
    _row(
        Cause.CERTIFICATE_EXPIRES_SOON,
        why="A certificate of the chain, or of the bundle, ends within the warning window.",
        remedy="The finding names the certificate. The server's, or an intermediate: renew it "
        "now, put the new pair into the secret, install it and reload. A CA: put its successor "
        "into the CA bundle before the server serves a chain of it.",
        severity=_WARNING,
    ),
    _row(
        Cause.TRUST_BY_CROSS_SIGN,
        why="The chain leads to a trusted CA only through a root that another CA has cross-signed. "
        "The root itself is not in the CA file, so trust ends with that one certificate, and at "
        "once if the server stops sending it.",
        remedy="Keep serving the whole chain, the cross-signed certificate included. Add the root "
        "itself to the CA file before the date that is named.",
        severity=_ADVICE,
    ),
    _row(
        Cause.KEY_TOO_SMALL,
        why="A key of the chain is smaller than the policy allows.",
        remedy="Issue it anew with RSA 2048 or more, or ECDSA P-256 or more.",
        severity=_WARNING,
    ),
    _row(
        Cause.SIGNATURE_HASH_WEAK,
        why="A certificate of the chain is signed with a hash that the policy does not allow, "
        "such as SHA-1.",
        remedy="Issue it anew with SHA-256 or better.",
        severity=_WARNING,
    ),
    _row(
        Cause.VALIDITY_TOO_LONG,
        why="The certificate is valid longer than the policy allows, so a stolen key is of use "
        "for years.",
        remedy="Issue certificates for a shorter time and renew them automatically.",
        severity=_ADVICE,
    ),
    _row(
        Cause.TLS_VERSION_OLD,
        why="The connection, or the server's minimum, is below TLS 1.2.",
        remedy="Set ssl_min_protocol_version = 'TLSv1.2' and reload.",
        severity=_WARNING,
    ),
    _row(
        Cause.CA_NOT_STRICT,
        "certificate verify failed: Missing Authority Key Identifier",
        "certificate verify failed: Basic Constraints of CA cert not marked critical",
        why="A CA lacks what RFC 5280 asks for (basic constraints or key usage marked critical, "
        "key identifiers), or a certificate is not of version 3. libpq accepts it; stricter "
        "clients, such as Python 3.13, do not.",
        remedy="At the next renewal, make a CA with critical basicConstraints and keyUsage, and "
        "with key identifiers; and a server's certificate with its names in the SAN (`openssl x509 "
        "-req` adds none by itself: -copy_extensions copy, or -extfile).",
        severity=_WARNING,
    ),
    _row(
        Cause.SERVED_CERTIFICATE_DIFFERS,
        why="PostgreSQL serves another certificate than the one in the secret: the new one is not "
        "installed, or the server was not reloaded since.",
        remedy="Install certificate and key, then reload PostgreSQL: SELECT pg_reload_conf(). "
        "Where something in front ends TLS, install them there (in PgBouncer client_tls_cert_file "
        "and client_tls_key_file, then RELOAD).",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.ENDPOINT_CA_DIFFERS,
        why="The server serves a chain of a CA that the endpoint does not trust yet, so DMS cannot "
        "connect. It comes from a server that was renewed before its secret or CA bundle, or from "
        "an endpoint that somebody else has changed.",
        remedy="Nothing has to be done where the run changes the endpoint itself. If it may not, "
        "the other findings say what stands in its way: remove that, and run `certifier certify "
        "NAME`.",
        severity=_WARNING,
    ),
    _row(
        Cause.DIFFERENT_NODE_ANSWERS,
        "connection is bad: session is read-only",
        why="Another node than before answers: a failover, a load balancer, or a DNS record with a "
        "stray address. It shows by a certificate that is neither the intended one nor the one "
        "served before, by a standby in the place of a primary, or by a chain that needs a CA "
        "which was dropped; that one is trusted again.",
        remedy="Look at what the host name leads to. Install the same certificate on every node, "
        "or name one node in the source; change data capture needs the primary. If somebody has "
        "installed another certificate by hand, put it into the secret.",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.NOTHING_VERIFIED,
        why="The source asks for ssl_mode none or require: DMS does not verify whom it talks to. "
        "Such an endpoint can be certified, and says nothing about who answers.",
        remedy="Raise ssl_mode to verify-full, with the CA of the server as ca_bundle.",
        severity=_ADVICE,
    ),
    _row(
        Cause.MODE_COULD_BE_RAISED,
        why="A stricter ssl_mode would pass already, with what the server serves today.",
        remedy="Raise ssl_mode in the source's file and run `certifier certify FILE`: DMS "
        "rehearses the stricter mode before anything changes.",
        severity=_ADVICE,
    ),
)

_CONSENT = (
    _row(
        Cause.NOT_ALLOWED,
        why="The owner of the endpoint or secret has not consented to its use by this source: its "
        "tag certifier:source does not name the source. Nothing of the secret was read. Otherwise "
        "whoever may register a source could use every secret and endpoint of the account.",
        remedy="Ask the owner to run the command that is shown. The tag holds names of sources or "
        "patterns, separated by blanks; * or + stands for any characters (DMS takes no * in tags).",
    ),
    _row(
        Cause.HOST_NOT_VOUCHED,
        why="The host and port of the source are not those in the credentials secret, nor, where "
        "that holds no host, those of the endpoint as it is or of the secret's tag "
        "certifier:host. Password and data go only where their owner has named the host. Nothing "
        "was sent.",
        remedy="Correct host and port in the source. If the host is meant, the owner of the secret "
        "writes host and port into it, or sets its tag certifier:host to host:port.",
    ),
)

_MATERIAL = (
    _row(
        Cause.SECRET_UNREADABLE,
        why="Secrets Manager did not give us the secret: it is gone, marked for deletion, its key "
        "is disabled, or the role may not read it.",
        remedy="Check with `aws secretsmanager describe-secret --secret-id ARN` that it is there "
        "and not marked for deletion, and look at its resource policy and KMS key. Its name must "
        "begin with one of the setting secret_prefixes; a key of your own must be in the setting "
        "kms_keys.",
    ),
    _row(
        Cause.SECRET_INCOMPLETE,
        why="The secret cannot be read as JSON, or a key is missing or empty in it.",
        remedy="Write the secret as one JSON object, with the key that is named.",
    ),
    _row(
        Cause.SECRET_AMBIGUOUS,
        why="The secret says the same thing twice, and not the same: a key stands in it twice, or "
        "at the top and in an object inside of it, with different values.",
        remedy="Leave one of the two in the secret.",
    ),
    _row(
        Cause.SECRET_DISAGREES,
        why="The credentials secret, which the endpoint will use, names another host, port or "
        "user than the source.",
        remedy="Make the secret and the source say the same; DMS believes the secret.",
    ),
    _row(
        Cause.PASSWORD_UNUSABLE,
        why="The password holds characters that DMS does not take for PostgreSQL.",
        remedy="Set a password without ; + % { } (rotation: exclude also . : * & , \\), for "
        "the role and in the secret.",
    ),
    _row(
        Cause.SECRET_NOT_TEXT,
        why="A value in the secret holds a NUL, or half of a surrogate pair (an escape such as "
        "\\ud800 alone): no client can send it, and PostgreSQL has no such user or password. Or it "
        "is longer than the 4,096 characters that are read.",
        remedy="Write the value that is named into the secret again, as text of at most 4,096 "
        "characters.",
    ),
    _row(
        Cause.BUNDLE_UNREADABLE,
        why="The CA bundle could not be read: the object or secret is gone, or the role may not "
        "read it.",
        remedy="Check the address (`aws s3 ls`, or `aws secretsmanager describe-secret`), the "
        "bucket policy, and the KMS key, which must be in the setting kms_keys for a secret.",
    ),
    _row(
        Cause.BUNDLE_DIGEST_DIFFERS,
        why="The bundle is not the one whose SHA-256 the source names: it has been replaced.",
        remedy="Find out who changed it. If the change is meant, write the new digest into the "
        "source.",
    ),
    _row(
        Cause.BUCKET_NOT_ALLOWED,
        why="Trust bundles are read only from buckets that the stack allows.",
        remedy="Put the bundle into an allowed bucket (`certifier doctor` lists them under "
        "bundles), or have whoever deploys the stack add this one to the setting bundle_buckets.",
    ),
    _row(
        Cause.NO_CERTIFICATE,
        why="No certificate was found where the server's certificate should be.",
        remedy="Supply the certificate in PEM, from BEGIN CERTIFICATE to END CERTIFICATE.",
    ),
    _row(
        Cause.NO_PRIVATE_KEY,
        why="No private key was found beside the certificate.",
        remedy="Supply the key in PEM, unencrypted, under private_key (or tls.key, privkey.pem).",
    ),
    _row(
        Cause.NOT_PEM,
        'could not load server certificate file "server.crt": no start line',
        "The certificate is not in PEM format",
        why="The content is not PEM: DER, PKCS#12, or something else altogether.",
        remedy="Convert it: openssl x509 -inform der, or openssl pkcs12 -nodes. `certifier inspect "
        "--certificate FILE` names what it is.",
    ),
    _row(
        Cause.PEM_DAMAGED,
        'could not load private key file "server.key": bad base64 decode',
        why="A PEM block is there but cannot be read: cut off, or its line ends were lost.",
        remedy="Copy the file again as a whole; in JSON, line ends are written as \\n.",
    ),
    _row(
        Cause.KEY_ENCRYPTED,
        'private key file "server.key" cannot be reloaded because it requires a passphrase',
        'could not load private key file "server.key": bad decrypt',
        why="The private key is protected by a passphrase, which nobody is there to type.",
        remedy="Supply it decrypted: openssl pkey -in server.key. The secret itself is encrypted.",
    ),
    _row(
        Cause.KEY_MISMATCH,
        'could not load private key file "server.key": key values mismatch',
        "check of private key failed: key values mismatch",
        why="The private key is not the key of the certificate.",
        remedy="Supply the pair that belongs together; after a renewal with a new key, both.",
    ),
    _row(
        Cause.KEY_AMBIGUOUS,
        why="More than one private key was found.",
        remedy="Leave only the key of the server's certificate.",
    ),
    _row(
        Cause.KEY_UNSUPPORTED,
        why="The key is of a kind or size that cannot be used here.",
        remedy="Use RSA 2048 or more, or ECDSA P-256, P-384 or P-521.",
    ),
    _row(
        Cause.LEAF_AMBIGUOUS,
        why="Several certificates could be the server's, and nothing shows which one is meant.",
        remedy="Leave one server certificate, with its chain, in the secret.",
    ),
    _row(
        Cause.CHAIN_REPAIRED,
        why="The chain was out of order, had duplicates, or held the root; it was put right.",
        remedy="Nothing has to be done; supply leaf first, then each issuer, to be rid of this.",
        severity=_ADVICE,
    ),
    _row(
        Cause.NO_USABLE_CA,
        why="The bundle holds nothing to trust: its CAs have expired, none of its certificates is "
        "a CA, none can be read, or a root is missing above its intermediates.",
        remedy="Supply the root CA that the server's chain ends in, in PEM; not the server's "
        "certificate.",
    ),
    _row(
        Cause.CA_EXPIRED_DROPPED,
        why="The bundle holds CAs that are past their last day; they are not brought to DMS.",
        remedy="Remove them from the bundle.",
        severity=_WARNING,
    ),
    _row(
        Cause.MATERIAL_TOO_LARGE,
        why="A certificate, key, chain or bundle is larger than ACM or DMS or we take.",
        remedy="Leave out what is not needed; use the bundle of the Region, not the global one.",
    ),
    _row(
        Cause.NEW_TRUST_ANCHOR,
        why="The CA bundle of the source, or the endpoint, holds a CA that was never there before. "
        "Whoever can write it can make DMS trust anybody.",
        remedy="Nothing has to be done in a rotation: old and new CA are trusted until the server "
        "serves the new chain. If no rotation is meant, find out who changed the secret.",
        severity=_WARNING,
    ),
    _row(
        Cause.ANCHOR_NOT_APPROVED,
        why="The CA bundle holds a CA that was never there before, and this installation lets none "
        "be trusted that nobody has approved (setting new_anchor_needs_consent). Until then the "
        "probe does not log in either.",
        remedy="Compare the fingerprint with what the owner of the CA says. Then run `certifier "
        "approve NAME SHA256`, or write the bundle's SHA-256 into the source as ca_bundle_sha256.",
    ),
    _row(
        Cause.ANCHOR_NOT_NAMED,
        why="The probe asked for a CA that is neither in the source's CA bundle, nor on the "
        "endpoint, nor among what was dropped from it lately, so nothing is changed. Another run "
        "may have changed one of these between probe and plan; else somebody has made the probe "
        "write it.",
        remedy="Run it again. If it is reported again, change nothing by hand: find out in "
        "CloudTrail who writes to the bucket, and deploy the function of Probe TLS anew before the "
        "next change.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.ACM_UNSUITABLE,
        why="ACM does not take this certificate or key (kind, size, names, validity). The "
        "endpoint does not need it there.",
        remedy="Use RSA 2048 to 4096 or ECDSA, if ACM is to watch the expiry.",
        severity=_WARNING,
    ),
    _row(
        Cause.ACM_CHAIN_REJECTED,
        "An error occurred (ValidationException) when calling the ImportCertificate operation: "
        "Could not validate the certificate with the certificate chain.",
        "The certificate field contains more than one certificate. You can specify only one "
        "certificate in this field.",
        why="ACM wants the leaf alone as certificate, and as chain the intermediates from its "
        "issuer upwards. One is missing, in the wrong order or of another CA, or the leaf stands "
        "in the chain.",
        remedy="`certifier inspect --certificate FILE --chain FILE` says which one is missing or "
        "out of place; an import by Certifier puts them in order by itself.",
        severity=_WARNING,
    ),
    _row(
        Cause.ACM_AMBIGUOUS,
        why="Several certificates in ACM carry this source's tag. A tag proves nothing: only the "
        "one that Certifier remembers is kept in step, and the others are left alone.",
        remedy="Delete those that nothing uses, or take the tag from them.",
        severity=_WARNING,
    ),
    _row(
        Cause.ACM_BEHIND,
        why="ACM holds an older certificate than the server is meant to serve.",
        remedy="The next good run imports it, `certifier certify NAME` now; if it stays behind, "
        "read the findings about ACM.",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.ACM_FAILED,
        why="ACM refused the import or did not answer. The endpoint is not touched by that.",
        remedy="Read what ACM said; the next run tries again.",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.ACM_QUOTA,
        why="The account has as many certificates in ACM, or imports in a year, as it may have.",
        remedy="Delete certificates that nothing uses, or have the quota raised.",
        severity=_WARNING,
    ),
    _row(
        Cause.INTENDED_CERTIFICATE_UNREADABLE,
        why="The certificate in ACM that the source names as server_certificate cannot be read: "
        "there is none with that ARN in this account and Region, ACM has not issued it yet, or "
        "the installation may not read it.",
        remedy="Look at it: `aws acm describe-certificate --certificate-arn ARN`. One that is "
        "pending is validated in ACM first. `aws acm list-certificates --includes "
        "keyTypes=RSA_2048,EC_prime256v1` names those that there are: without key types it shows "
        "RSA keys alone. A secret with the pair does instead.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.RENEWED_NOT_SERVED,
        why="ACM has renewed the certificate, and the server still serves another one: the key of "
        "such a certificate lives on the host, and nobody has brought the new pair there yet.",
        remedy="Export the certificate to the host again (`aws acm export-certificate`, the ACME "
        "client, or whatever brings it there), then reload PostgreSQL: SELECT pg_reload_conf().",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.TRUST_UNAVAILABLE,
        why="The roots that the source names by a word are not known here: the Region is newer "
        "than the data of this installation, RDS lists a root that the data lacks, or nothing was "
        "served from which the public root could be read.",
        remedy="For rds: let the installation reach AWS's trust store and call "
        "rds:DescribeCertificates, or run `make trust` where there is a network and deploy again; "
        "until then, upload the Region's bundle and name it as ca_bundle (s3://bucket/key). For "
        "public: let the probe reach the host, or name the owner's roots (letsencrypt, amazon).",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.TRUST_UNCHECKED,
        why="The roots of RDS come from the data of this installation, and could not be compared "
        "with what RDS itself lists.",
        remedy="Allow rds:DescribeCertificates to the function of Read material; the stack grants "
        "it, so look for a boundary or a service control policy that takes it away.",
        severity=_WARNING,
    ),
    _row(
        Cause.NAMED_TRUST_FITS,
        why="The server's chain ends in a root that is known here by a word, so nobody has to find "
        "and upload a bundle.",
        remedy="Write the word that is named as ca_bundle into the source, or give it to "
        "`certifier probe --ca-bundle`.",
        severity=_ADVICE,
    ),
)

_PLANNING = (
    _row(
        Cause.SOURCE_INVALID,
        "An error occurred (InvalidParameterValueException): Invalid certificate ARN",
        'invalid sslmode value: "verify_full"',
        why="A field of the source, or a setting of the connection, is wrong.",
        remedy="Correct the field that is named; `certifier schema` prints what is allowed. An "
        "endpoint takes the ARN of a DMS certificate, never one of ACM.",
    ),
    _row(
        Cause.ENDPOINT_GONE,
        why="An endpoint that was there before does not exist any more. It is never made again "
        "silently.",
        remedy="If an ARN is wrong in the source, correct it. If the endpoint was deleted: "
        "`certifier forget NAME`; to have it made again, register the source after that, with an "
        "identifier.",
    ),
    _row(
        Cause.ENDPOINT_READ_ONLY,
        why="The endpoint belongs to a zero-ETL integration, which alone may change it.",
        remedy="Change the integration instead, or use another endpoint.",
    ),
    _row(
        Cause.ENDPOINT_TAKEN,
        why="Another source is registered for the same endpoint; they would undo each other.",
        remedy="Run `certifier forget NAME` for one of the two, or give each its own endpoint.",
    ),
    _row(
        Cause.ENGINE_MISMATCH,
        why="The endpoint has another engine than the source says. An engine is never changed.",
        remedy="Name the right endpoint, or correct engine in the source.",
    ),
    _row(
        Cause.IAM_AUTHENTICATION,
        why="The endpoint logs in with IAM tokens. Its credentials are not ours to manage, so it "
        "is left alone.",
        remedy="Nothing has to be done: `certifier forget NAME` drops the source. To have it "
        "kept, give the endpoint a login with a password.",
    ),
    _row(
        Cause.NEEDS_REPLACEMENT,
        why="The change is one that DMS cannot make to an existing endpoint.",
        remedy="Make the source say what the endpoint is (endpoint_type). If another kind is "
        "needed, create a new endpoint and move the tasks over.",
    ),
    _row(
        Cause.WOULD_WEAKEN,
        why="The source asks for a weaker ssl_mode than the endpoint has.",
        remedy="Raise ssl_mode in the source; if the weaker mode is meant, set allow_downgrade "
        "to true there.",
    ),
    _row(
        Cause.IRREVERSIBLE,
        why="The change could not be undone if DMS failed to connect afterwards: a password that "
        "nobody knows, a foreign role, or a field that DMS cannot unset.",
        remedy="Make sure that user and password in the secret are the right ones, then set "
        "allow_irreversible to true in the source. If it was done and does not connect: correct "
        "the secret, or give the endpoint its old login by hand.",
    ),
    _row(
        Cause.ENDPOINT_WEAKENED,
        why="The endpoint gets a weaker ssl_mode than it had, as the source allows. Its team is "
        "notified once, also when the run is good.",
        remedy="If this is not meant, find out who registered the source so, and register it with "
        "the old ssl_mode again.",
        severity=_WARNING,
    ),
    _row(
        Cause.ENDPOINT_MOVED,
        why="The endpoint gets another host, port or database than it had. Its team is notified "
        "once, also when the run is good.",
        remedy="If this is not meant, find out who registered the source so, and register it with "
        "the old host and database again.",
        severity=_WARNING,
    ),
    _row(
        Cause.CREDENTIALS_CHANGED,
        why="The endpoint logs in with another secret than it did, or with one instead of a login "
        "of its own. Its team is notified once, also when the run is good.",
        remedy="If this is not meant, find out who registered the source so, and register it with "
        "the old credentials again.",
        severity=_WARNING,
    ),
    _row(
        Cause.PERMISSION_USED,
        why="The source allows a change that cannot be rolled back (allow_irreversible), and this "
        "run makes one. Its team is notified once, also when the run is good.",
        remedy="Take allow_irreversible out of the source again: the change has been made.",
        severity=_WARNING,
    ),
    _row(
        Cause.REVERTED_BY_OTHERS,
        why="Someone else sets the endpoint back each time that we have changed it.",
        remedy="Find the other writer (Terraform, CloudFormation, a script) in CloudTrail, by "
        "ModifyEndpoint, and let one of the two own the endpoint's TLS settings; in Terraform: "
        "lifecycle { ignore_changes = [ssl_mode, certificate_arn] }. Then run `certifier certify "
        "NAME`.",
    ),
    _row(
        Cause.OVERLAP_PENDING,
        why="Old and new CA are both trusted, because a server behind the host still serves a "
        "chain of the old one, or has not served the new one for long enough to be sure.",
        remedy="Where a node still serves the old chain, install the new certificate there and "
        "reload PostgreSQL. Otherwise nothing has to be done: the old CA is removed when every "
        "node has served the new chain for a day (shrink_after_hours).",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.SHRINK_WAITS,
        why="The old CA is not needed any more, but taking it away would stop running tasks.",
        remedy="It goes when no task runs, or in the window of restart_tasks.",
        severity=_ADVICE,
    ),
    _row(
        Cause.GROWTH_WAITS,
        why="The set of roots that the source names has grown. What the endpoint trusts now is "
        "enough for the chain that is served, and adding the others would stop running tasks. It "
        "is an error when DMS's own test then shows that it is not enough.",
        remedy="They are added when no task runs, or in the window of restart_tasks.",
        severity=_ADVICE,
    ),
    _row(
        Cause.TASKS_RUNNING,
        "You cannot modify endpoints associated to a DMS task when the task status is starting "
        "or running.",
        why="DMS does not change an endpoint while a task on it runs, and the source does not "
        "allow us to stop tasks.",
        remedy="Set restart_tasks in the source to true or to a weekly window, or stop the tasks "
        "that are named (`aws dms stop-replication-task`); then run `certifier certify NAME`, and "
        "start them again.",
    ),
    _row(
        Cause.TASK_IN_FULL_LOAD,
        why="A task on the endpoint is in its full load, which would begin again after a stop.",
        remedy="Wait until the full load is done.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.TASK_COULD_NOT_RESTART,
        "Test connection for replication instance and endpoint should be successful for starting "
        "the replication task",
        "Test connection failed for endpoint 'orders' and replication config 'orders-cdc'.",
        why="A task that we would stop could not be started again: its other endpoint does not "
        "connect, or its replication instance is not available.",
        remedy="Repair the other endpoint or the instance that is named first: the connection "
        "test of that endpoint in the DMS console must be successful. Then run `certifier certify "
        "NAME`.",
    ),
    _row(
        Cause.SERVERLESS_REPLICATION,
        why="A DMS Serverless replication uses the endpoint. It cannot be tested from a "
        "replication instance, and is not stopped by us.",
        remedy="Stop the replication (`aws dms stop-replication`), run `certifier certify NAME`, "
        "and start it again (`aws dms start-replication`).",
    ),
    _row(
        Cause.WINDOW_CLOSED,
        why="The change needs tasks to stop, and their weekly window is closed.",
        remedy="Nothing has to be done; it is made when the window opens.",
        severity=_ADVICE,
    ),
    _row(
        Cause.WINDOW_MISSED,
        why="The weekly window has opened and closed twice, and the change was not made in it.",
        remedy="`certifier show NAME` says what it waited for. Make the window longer, or stop "
        "the tasks yourself and run `certifier certify NAME`: then the change is made at once.",
        severity=_WARNING,
    ),
    _row(
        Cause.OLD_ANCHORS_DROPPED,
        why="Nobody looks at the served chain, so old CAs stay trusted after a renewal. Some have "
        "expired, or have not been in the source's bundle for 90 days: they go.",
        remedy="Nothing, if the server no longer uses them. If it does, put them into the bundle.",
        severity=_WARNING,
    ),
    _row(
        Cause.MANY_OLD_ANCHORS,
        why="The endpoint trusts more than 20 CAs that the source's bundle does not hold, and "
        "nobody looks at the served chain, which would tell whether they are needed.",
        remedy="Turn the probe on, or set `ca_overlap` to false once the server serves its new "
        "chain.",
        severity=_WARNING,
    ),
    _row(
        Cause.CHANGE_BACKS_OFF,
        why="The same change was made before and ended badly, so it is not made again at once: "
        "the tasks would stop each time.",
        remedy="Look with `certifier history NAME` and `certifier show NAME` at the run that made "
        "it. `certifier certify NAME` makes it again at once; a change of the source or of its "
        "secrets does not wait either.",
        severity=_ADVICE,
    ),
    _row(
        Cause.NO_REPLICATION_INSTANCE,
        why="No replication instance is named, none has a connection or task on the endpoint, and "
        "the account has none, or more than one, so nothing says where to test from.",
        remedy="Name replication_instances in the source, by their ARNs: `aws dms "
        "describe-replication-instances` lists them.",
    ),
    _row(
        Cause.REPLICATION_INSTANCE_CHOSEN,
        why="No replication instance is named, and none has a connection or task on the endpoint; "
        "the only one of the account and Region was taken.",
        remedy="Nothing has to be done; name replication_instances in the source before there is "
        "a second one.",
        severity=_ADVICE,
    ),
    _row(
        Cause.INSTANCE_UNAVAILABLE,
        why="The replication instance is being changed, rebooted, or is gone.",
        remedy="Wait until `aws dms describe-replication-instances` shows it as available; "
        "correct replication_instances in the source if it was replaced.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.DMS_CERTIFICATE_CONFLICT,
        why="A DMS certificate has our identifier but another content.",
        remedy="Find out in CloudTrail, by ImportCertificate, who imported it. If no endpoint "
        "uses it, delete it (`aws dms delete-certificate --certificate-arn ARN`), and run "
        "`certifier certify NAME`.",
    ),
    _row(
        Cause.DMS_QUOTA,
        why="The account has as many DMS certificates (100) or endpoints (1,000) as it may have, "
        "or the replication instance serves as many endpoints (100) as it can.",
        remedy="`aws dms describe-account-attributes` shows what is used. Delete what nothing "
        "uses, which the finding names for certificates (`aws dms delete-certificate`), or ask "
        "for a higher quota in the console of Service Quotas. Then run `certifier certify NAME`.",
    ),
)

_CHANGING = (
    _row(
        Cause.REHEARSED_BY_PROBE_ONLY,
        why="The change could not be tried with a canary endpoint (a password or role that is not "
        "ours to use, or a quota is reached: 1,000 endpoints in the account, 100 on a replication "
        "instance); only our own probe has passed. Where that has not "
        "connected either, the change is refused.",
        remedy="Name the credentials of the endpoint in the source (credentials), or delete "
        "endpoints and connections that nothing uses when a quota is reached: then DMS tries every "
        "change on a canary first.",
        severity=_WARNING,
    ),
    _row(
        Cause.CANARY_LEFT,
        why="The canary endpoint of a rehearsal could not be deleted: a test was still under way "
        "on it, or DMS did not let us. Or an endpoint with its identifier is somebody else's.",
        remedy="The next run deletes it; or delete it by hand (`aws dms delete-endpoint "
        "--endpoint-arn ARN`): nothing uses it. Rename an endpoint of your own whose identifier "
        "begins with certifier-canary-.",
        severity=_WARNING,
        may_clear_by_itself=True,
    ),
    _row(
        Cause.DMS_CANNOT_READ_SECRET,
        "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to build "
        "connection string Unable to find Secrets Manager secret, Application-Detailed-Message: "
        "Failed to retrieve secret. Unable to find AWS Secrets Manager secret Arn "
        "'arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders' The secrets_manager "
        "get secret value failed: curlCode: 28, Timeout was reached",
        why="DMS could not fetch the credentials: the replication instance has no way to Secrets "
        "Manager (curlCode 6, 7 or 28), or the access role may not read the secret.",
        remedy="Give the instance's subnet a Secrets Manager endpoint and allow port 443 to it, "
        "or an outbound route; the role needs GetSecretValue, Decrypt for its key, and trust in "
        "dms.REGION.amazonaws.com; DmsSecretRole of this stack reads only secrets with the tag "
        "certifier:source. Secrets that RDS manages do not work.",
    ),
    _row(
        Cause.DMS_DIFFERS_FROM_PROBE,
        why="Our probe connects and DMS does not: the replication instance stands in another "
        "subnet, with another security group, DNS or pg_hba.conf line than the probe.",
        remedy="Compare the two: security groups and routes of the replication instance, DNS in "
        "its VPC, and the address that pg_hba.conf sees. The connection test of the endpoint in "
        "the DMS console shows when it is repaired.",
    ),
    _row(
        Cause.NOT_APPLIED,
        why="DMS did not take the settings; or it accepted the change, and the endpoint shows "
        "other values when it is read back.",
        remedy="Compare what the finding says with `aws dms describe-endpoints --filters "
        "Name=endpoint-id,Values=IDENTIFIER`. A setting that DMS does not take is corrected in "
        "the source or on the endpoint; otherwise report it with the run's record.",
    ),
    _row(
        Cause.UNDO_LOG_UNTRUSTED,
        why="The undo log in the table is not of this source's endpoint, or says that the endpoint "
        "had what it did not have when it was read. Nothing of it is written to DMS. Somebody has "
        "changed the table by hand, or the registration, while a change was unfinished.",
        remedy="Find out who wrote to the table (CloudTrail's data events, if you have them on). "
        "Look at the endpoint, set it as it should be, then delete the undo log: 'Keep an endpoint "
        "as it is now' in the runbook.",
    ),
    _row(
        Cause.CHANGED_MEANWHILE,
        why="Someone else changed the endpoint during the run, so a test proves nothing.",
        remedy="Run `certifier certify NAME`; if it happens again, find the other writer in "
        "CloudTrail, by ModifyEndpoint.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.TEST_NEVER_ENDED,
        why="Within the longest time that we wait, DMS showed no result that is known to be of our "
        "own connection test: it was still under way, or only a verdict of before was shown.",
        remedy="Look at the replication instance in CloudWatch (FreeableMemory, CPUUtilization): "
        "out of memory or busy, its tests do not end. The next run tests again; `certifier "
        "certify NAME` does so now.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.CONNECTION_DELETED,
        why="The connection between endpoint and instance was deleted while it was tested.",
        remedy="Run `certifier certify NAME`; if it happens again, find out in CloudTrail, by "
        "DeleteConnection, who deletes it.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.BROKEN_BEFORE,
        why="The endpoint did not connect before the change either, and the new settings did not "
        "repair it. It was rolled back.",
        remedy="Read with `certifier show NAME` what DMS said of the old settings and of the new "
        "ones; repair what both have in common. Then run `certifier certify NAME`.",
    ),
    _row(
        Cause.BROKEN_AFTER_ROLLBACK,
        why="The endpoint was rolled back, and still does not connect: something else "
        "changed meanwhile.",
        remedy="Act now: `certifier show NAME` has what DMS says of the old settings. Repair it "
        "and run `certifier certify NAME`; tasks that wait are started as soon as DMS connects.",
    ),
    _row(
        Cause.NOT_ROLLED_BACK,
        why="A change was written to the endpoint, and it is neither proven nor rolled back: what "
        "the other findings name is in the way. Tasks that we stopped for it may not start.",
        remedy="Act now: remove what the other findings name and run `certifier certify NAME`, "
        "which rolls back. Or set the values of before by hand; the next run tests them, and "
        "starts the tasks once DMS connects.",
    ),
    _row(
        Cause.INTERRUPTED_RUN_FINISHED,
        why="An earlier run was cut off in the middle of a change; this one has finished it.",
        remedy="Nothing has to be done; the source runs again at once.",
        severity=_ADVICE,
    ),
    _row(
        Cause.ENDPOINT_HOLDS_OLD_PASSWORD,
        why="The secret has a new password, and the endpoint keeps the old one while a task runs "
        "that may not be stopped now. The task goes on with the connections it has, and cannot "
        "start again once the old password no longer works.",
        remedy="Set restart_tasks to true, or stop the tasks that are named and run the source. "
        "With a window, the password is set when it opens.",
    ),
    _row(
        Cause.TASK_DID_NOT_STOP,
        why="A task was asked to stop, and still ran after the longest time that we wait.",
        remedy="Look at the task in the DMS console; it is not forced. The change was given up. "
        "Stop it yourself when it can be stopped, and run `certifier certify NAME`.",
    ),
    _row(
        Cause.TASK_FAILED,
        '{"eventType": "REPLICATION_TASK_FAILED", "detailMessage": "Replication task failed"}',
        "Last Error Replication task out of memory. Stop Reason FATAL_ERROR Error Level FATAL.",
        why="A DMS task has stopped with an error. The event names the task; the reason is "
        "elsewhere.",
        remedy="Read LastFailureMessage of the task (`aws dms describe-replication-tasks "
        "--filters Name=replication-task-arn,Values=ARN`) and the end of its log, and give what "
        "they say to `certifier explain`.",
    ),
    _row(
        Cause.TASK_NOT_RESTARTED,
        why="A task that we stopped does not run again yet. It is tried again after ten minutes, "
        "then less and less often, at least hourly.",
        remedy="Repair what DMS says of it: both of its endpoints must connect, and its instance "
        "must be available. Then run `certifier certify NAME`, which starts the task at once.",
        severity=_WARNING,
    ),
    _row(
        Cause.TASK_LEFT_ALONE,
        why="A task that we stopped is gone, was stopped again by a person, or ended for a reason "
        "of its own since. We start only what we stopped.",
        remedy="If it is meant to run, start it yourself: `aws dms start-replication-task "
        "--start-replication-task-type resume-processing --replication-task-arn ARN`.",
        severity=_WARNING,
    ),
    _row(
        Cause.BREAKER_OPEN,
        why="Changes of several sources (three, or the setting breaker_limit) ended badly within "
        "24 hours, so no further change is begun.",
        remedy="Find with `certifier status --failing` what these ends have in common, and remove "
        "it. Try one source with `certifier certify NAME --plan`, then run `certifier "
        "reset-breaker`: what was held back is due at once.",
    ),
    _row(
        Cause.AWS_DENIED,
        "An error occurred (AccessDeniedException) when calling the TestConnection operation: "
        "User is not authorized to perform: dms:TestConnection",
        why="AWS refused a call: the role lacks the action, or a policy above it denies.",
        remedy="Compare the action and resource that are named with the role's policy, with "
        "service control policies, and with the policy of the key or secret.",
    ),
    _row(
        Cause.AWS_UNAVAILABLE,
        "An error occurred (ThrottlingException) when calling the DescribeEndpoints operation: "
        "Rate exceeded",
        why="A service did not answer, or asked us to slow down, longer than we retry.",
        remedy="The next run tries again, `certifier certify NAME` now; if it stays, look at the "
        "AWS Health Dashboard, and at who else calls the service as often.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.FUNCTION_CUT_OFF,
        why="Lambda ended a function before it had answered, and did so again each time that it "
        "was called: it had no memory or no time left, or Lambda was at fault.",
        remedy="Read the end of the function's log in CloudWatch: the line REPORT says how much "
        "memory and time it used. If it used all of it, report that; otherwise look at the AWS "
        "Health Dashboard for Lambda. The next run finishes what this one began.",
        may_clear_by_itself=True,
    ),
    _row(
        Cause.UNEXPECTED,
        why="An unexpected error: a bug, or an answer without a name.",
        remedy="Report it with the run's record (`certifier open NAME` fetches it). The log of "
        "the function in CloudWatch has the type and the place of the error.",
    ),
    _row(
        Cause.UNKNOWN,
        "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to "
        "connect to database.",
        why="The text is not one that we can read. It is kept as it came.",
        remedy="Run `certifier probe` against the host: it finds most causes by itself. DMS "
        "writes more into the task's log.",
    ),
)


CHAPTERS: Mapping[str, tuple[Row, ...]] = MappingProxyType(
    {
        "Reaching the host": _REACHING,
        "Speaking PostgreSQL and TLS": _SPEAKING,
        "Verifying the certificate": _VERIFYING,
        "Logging in": _LOGGING_IN,
        "Reading changes": _READING_CHANGES,
        "What server and certificate are like": _LIKENESS,
        "Consent": _CONSENT,
        "The material": _MATERIAL,
        "Planning the change": _PLANNING,
        "Changing and proving": _CHANGING,
    }
)
CATALOGUE: Mapping[Cause, Row] = MappingProxyType(
    {row.cause: row for rows in CHAPTERS.values() for row in rows}
)
