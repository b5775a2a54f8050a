"""The table of symptoms: which words mean which cause.

The words are those of libpq 15 to 18, of PostgreSQL's FATAL messages, of OpenSSL 1.1.1 and 3, of
Python's ssl and socket modules, of Go (DMS's second diagnostic is written in it), of the common
poolers, and of DMS around them.

A pattern is a regular expression over text in which every run of blanks is one space and every
``"quoted"`` part is opaque, so that a role named `timeout expired` means nothing. ``<name>`` stands
for a quoted part, and fills ``{name}`` in what was seen.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from certifier.vocabulary import Cause, Stage


@dataclass(frozen=True)
class Symptom:
    """Words, the cause that they mean, how far the connection had come, and a sentence for people.

    In the sentence, ``[...]`` is left out when the text did not tell what it names. In the words,
    ``<>`` is a quoted part that fills ``{name}``; the first one that matched counts. ``remedy``
    takes the place of the catalogue's, for a reason of its own under a common cause.
    ``decisive``: the words name the cause whatever else the text says.
    ``either``: when the words leave open which cause it is, each with the condition for it.
    """

    cause: Cause
    stage: Stage | None
    words: str
    seen: str
    decisive: bool = False
    either: tuple[tuple[str, Cause], ...] = ()
    remedy: str | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a text is first read: a function that reads none starts sooner."""
        named = re.sub(r"(?<!\?P)<(\w+)>", r'"(?P<\1>[^"]*)"', self.words)
        return re.compile(named.replace("<>", '"([^"]*)"'), re.IGNORECASE)


def _sign(
    cause: Cause,
    stage: Stage | None,
    pattern: str,
    seen: str,
    *,
    decisive: bool = False,
    either: tuple[tuple[str, Cause], ...] = (),
    remedy: str | None = None,
) -> Symptom:
    return Symptom(cause, stage, pattern, seen, decisive, either, remedy)


TLS_OR_NOT = (
    ("If the connection had TLS", Cause.HBA_REJECTED),
    ("If it had none", Cause.HBA_REJECTED_PLAINTEXT),
)
"""A refusal by pg_hba.conf that does not say, in words that we know, whether there was TLS."""


_HOST = r"host name <host>"
_HBA_NO_ENTRY = r"no p(?:g|ool)_hba\.conf entry for (?:replication connection from )?host"
_HBA_REJECTS = r"pg_hba\.conf rejects (?:replication )?connection for host"
_HBA_NAMES = r"(?: <client>)?(?:, user <user>)?(?:, database <database>)?"
_PLAIN = r", (?:no encryption|SSL off)"
_ENCRYPTED = r", (?:(?:SSL|GSS) encryption|SSL on)"
_RESOLVER = (
    r"name or service not known|failure in name resolution|nodename nor servname provided"
    r"|no address associated with hostname|name does not resolve|unknown host|no such host"
    r"|getaddrinfo failed|failed to resolve host|\bENOTFOUND \S|EAI_AGAIN|UnknownHostException"
)
# What comes after a colon, up to what DMS writes behind libpq's words.
_SAID = r"(?:(?! additional info:)[^\[]){1,120}"
_LOADING = r"could not load (?:server certificate|private key) file <file>"
_ERRNO = r"(?:failed: |could not connect to server: |^(?:\[Errno \d+\] )?)"

_FIRST = (
    # a pooler that cannot reach the server behind it, or tell which one is meant
    _sign(
        Cause.CONNECTION_REFUSED,
        Stage.TCP,
        r"(?:cached error|because): connect failed|pgbouncer cannot connect to server"
        r"|no working server connection|all backend nodes are down|AllServersDown"
        r"|failed to create a backend connection|failed to connect to remote server"
        r"|couldn't connect to compute node|client_login_timeout \(server down\)",
        "a pooler answers, and the PostgreSQL behind it is down or cannot be reached from there",
        decisive=True,
    ),
    _sign(
        Cause.SNI_MISSING,
        Stage.TLS,
        r"endpoint ID is not specified|(?:support for|without|missing|no|requires?|upgrade .{0,60}"
        r"for) (?:TLS )?SNI\b|SNI (?:support|is (?:required|missing)|hostname is missing)"
        r"|project name (?:is missing|is not specified)|inferred from SNI",
        "the proxy finds the database by the host name in the TLS handshake, and got none that"
        " it knows",
        decisive=True,
    ),
    _sign(
        Cause.TOO_MANY_CONNECTIONS,
        Stage.LOGIN,
        r"\((?:EMAX\w+|ECHECKOUTTIMEOUT|EPOOL\w*FULL)\)|max ?clients? (?:connections? )?reached"
        r"|MaxClientsIn\w+|no more connections allowed|max_(?:client_conn|user_connections"
        r"|db_connections)|waiting to acquire (?:a )?database connection|query_wait_timeout"
        r"|unable to check ?out (?:a )?connection from (?:the )?pool",
        "every connection that the pooler may use is taken",
        decisive=True,
    ),
    _sign(
        Cause.PASSWORD_REJECTED,
        Stage.LOGIN,
        r"\(ECIRCUITBREAKER\)|too many authentication failures",
        "the pooler has seen too many wrong passwords, and takes no more for a while",
        decisive=True,
    ),
    # what DMS, ACM and Secrets Manager answer a caller
    _sign(
        Cause.ACM_CHAIN_REJECTED,
        None,
        r"could not validate the certificate with the certificate chain"
        r"|certificate field contains more than one certificate"
        r"|certificate chain must not contain the certificate"
        r"|(?:not a valid self[- ]signed|valid self[- ]signed certificate or certificate chain)"
        r"|certificate chain .{0,60}(?:is not valid|is invalid|cannot be (?:parsed|validated))",
        "ACM cannot build the chain from what it was given",
        decisive=True,
    ),
    _sign(
        Cause.KEY_MISMATCH,
        None,
        r"private key (?:does not|doesn't) match (?:the |with the )?(?:supplied |provided )?"
        r"(?:certificate|public key)|certificate and (?:the )?private key do not match",
        "the private key is not the certificate's",
        decisive=True,
    ),
    _sign(
        Cause.KEY_ENCRYPTED,
        None,
        r"private key (?:must not be|cannot be|is) (?:encrypted|password[- ]protected)"
        r"|private key file <file> cannot be reloaded because it requires a passphrase",
        "the private key is protected by a passphrase[: {file}]",
        decisive=True,
    ),
    _sign(
        Cause.NOT_PEM,
        None,
        r"(?:certificate|private key|chain) (?:is not|must be|should be) (?:valid )?"
        r"(?:in |a )?(?:valid )?PEM\b|(?:not|ensure .{1,60}) in PEM[- ](?:encoded )?format",
        "what was given is not PEM",
    ),
    _sign(
        Cause.ACM_UNSUITABLE,
        None,
        r"(?:private )?key (?:length|size|algorithm) .{0,60}(?:is )?not supported"
        r"|signature algorithm .{0,60} not supported (?:by|in) ACM"
        r"|key type and size of a certificate cannot change|reimported certificate must keep",
        "ACM does not take this kind of key or signature",
    ),
    _sign(
        Cause.ACM_QUOTA,
        None,
        r"(?:reached|exceeded?) (?:your|the) (?:limit|quota) of \d+ (?:imported )?certificates"
        r"|imported (?:ACM )?certificates.{0,40}(?:limit|quota)",
        "the account has as many certificates in ACM as it may have",
    ),
    _sign(
        Cause.ACM_FAILED,
        None,
        r"tagging is not permitted on re-?import",
        "ACM takes tags only with the first import of a certificate",
    ),
    _sign(
        Cause.PASSWORD_MISSING,
        None,
        r"parameter (?:Password|Username) must be provided",
        "DMS wants a user and a password for the endpoint, or a secret that holds them",
        decisive=True,
    ),
    _sign(
        Cause.CA_BUNDLE_MISSING,
        None,
        r"parameter CertificateArn must be provided|certificate (?:ARN )?(?:is required|must be"
        r" (?:provided|specified)) (?:for|when|with) .{0,40}(?:SSL|verify)",
        "DMS wants a DMS certificate for this ssl_mode",
        decisive=True,
    ),
    _sign(
        Cause.SOURCE_INVALID,
        None,
        r"parameter (?P<parameter>\w{1,40}) must be provided",
        "DMS wants a value for {parameter}",
        decisive=True,
    ),
    _sign(
        Cause.SECRET_UNREADABLE,
        None,
        r"^(?!.*(?:unable to find (?:aws )?secrets manager secret|failed to retrieve secret)).*?"
        r"(?:Secrets Manager can'?t (?:find|decrypt)|secret because it was marked for deletion)",
        "Secrets Manager does not give the secret: it is gone, or its key cannot be used",
        decisive=True,
    ),
    _sign(
        Cause.DMS_QUOTA,
        None,
        r"ResourceQuotaExceeded(?:Fault)?|quota for .{1,80} (?:has been )?exceeded"
        r"|you have (?:reached|exceeded) (?:your|the) .{0,40}quota",
        "DMS has as many of these as the account may have",
    ),
    _sign(
        Cause.CA_BUNDLE_INVALID,
        None,
        r"InvalidCertificate(?:Fault)?\b",
        "DMS cannot read the certificate that it was given",
    ),
    _sign(
        Cause.TEST_NEVER_ENDED,
        None,
        r"connection is already being tested",
        "another test of the same endpoint from the same instance is under way",
    ),
    # replication slots
    _sign(
        Cause.SLOT_ACTIVE,
        Stage.QUERY,
        r"replication slot (?:<slot>|'[^']{1,64}'|\w{1,64}) is (?:already )?active"
        r"(?: for PID (?P<pid>\d+))?",
        'the replication slot[ "{slot}"] is in use[ by the process {pid}]',
    ),
    _sign(
        Cause.SLOT_LOST,
        Stage.QUERY,
        r"replication slot <slot> does not exist|can no longer (?:get changes from|access)"
        r" replication slot <slot2>|requested WAL segment \w+ has already been removed"
        r"|slot has been invalidated|cannot copy invalidated replication slot",
        'what the task wants to read on from is gone[: slot "{slot}"][: slot "{slot2}"]',
    ),
    _sign(
        Cause.TOO_MANY_CONNECTIONS,
        Stage.QUERY,
        r"all replication slots are in use",
        "every replication slot is taken (max_replication_slots)",
    ),
    _sign(
        Cause.WAL_LEVEL_LOW,
        Stage.QUERY,
        r"logical (?:decoding|replication) (?:on \w+ )?requires <?\"?wal_level"
        r"|(?:logical decoding|replication slot).{0,60}requires (?:<setting>|wal_level) >="
        r"|wal_level (?:is not set to|must be(?: set to)?|is not) .?logical",
        "wal_level is below logical",
    ),
    # DMS itself, and AWS
    _sign(
        Cause.DMS_CANNOT_READ_SECRET,
        None,
        r"(?:secrets?[ _]?manager|failed to retrieve secret)"
        r".{0,600}?curlCode: (?P<curl>\d+)(?:, (?P<said>[A-Za-z' ]+))?",
        "DMS could not reach Secrets Manager over the network (curl code {curl}[: {said}])",
        decisive=True,
    ),
    _sign(
        Cause.DMS_CANNOT_READ_SECRET,
        None,
        r"unable to find (?:aws )?secrets manager secret|failed to retrieve secret"
        r"|secrets_manager get secret value failed|secretsmanager:GetSecretValue"
        r"|(?:can'?t|cannot|could not|unable to|not) (?:\w+ ){0,6}?(?:secrets? manager|secret arn)",
        "DMS could not read the secret with the credentials",
        decisive=True,
    ),
    _sign(
        Cause.AWS_DENIED,
        None,
        r"is not authorized to perform:? (?P<action>[\w:*-]+)",
        "AWS denied the call {action}",
    ),
    _sign(
        Cause.AWS_DENIED,
        None,
        r"AccessDenied(?:Exception|Fault)?\b|KMSAccessDenied|KMSKeyNotAccessible"
        r"|ciphertext refers to a customer master key",
        "AWS denied the call",
    ),
    _sign(
        Cause.AWS_DENIED,
        None,
        r"ExpiredToken|security token included in the request is (?:expired|invalid)"
        r"|UnrecognizedClientException|InvalidClientTokenId|unable to locate credentials",
        "AWS does not accept the credentials of the caller, or they have expired",
    ),
    _sign(
        Cause.AWS_UNAVAILABLE,
        None,
        r"(?:connect to|timeout on) (?:the )?endpoint URL|InternalServer(?:Error|Exception)"
        r"|InternalFailure",
        "the AWS service did not answer",
        decisive=True,
    ),
    _sign(
        Cause.AWS_UNAVAILABLE,
        None,
        r"ThrottlingException|Rate exceeded|TooManyRequestsException|ServiceUnavailable",
        "AWS asked to be called less often, or did not answer",
    ),
    _sign(
        Cause.SOURCE_INVALID,
        None,
        r"invalid certificate arn",
        "DMS does not take this ARN as that of a DMS certificate",
    ),
    _sign(
        Cause.TASKS_RUNNING,
        None,
        r"(?:cannot|can't|can not) (?:modify|delete) (?:the )?endpoints? associated",
        "DMS does not change an endpoint under a running task",
    ),
    _sign(
        Cause.TASK_COULD_NOT_RESTART,
        None,
        r"should be successful for starting the replication task",
        "DMS does not start a task whose endpoint has not passed its test",
    ),
    _sign(
        Cause.INSTANCE_UNAVAILABLE,
        None,
        r"replication instance .{0,200}?\b(?:is not active|not (?:in )?available|is in state)"
        r"|\b(?:REPLICATION_)?INSTANCE_(?:FAILED|FAILOVER\w*|REBOOT\w*|MAINTENANCE\w*"
        r"|LOW_STORAGE|DELETED)\b",
        "the replication instance is not available",
    ),
    _sign(
        Cause.TASK_COULD_NOT_RESTART,
        None,
        r"test connection failed(?! (?:on|with|to|because))|failed to start endpoint",
        "DMS tests the endpoints of a task or replication before it starts, and one has failed",
    ),
    _sign(
        Cause.TASK_FAILED,
        None,
        r"\bREPLICATION(?:_TASK)?_(?:FAILED|SUSPENDED|STOPPED)\b|stop reason (?P<reason>\w*ERROR)"
        r"|replication task (?:has )?failed|was suspended due to|last error (?P<said>[^\[]{1,80})",
        "a DMS task has stopped[: {reason}][: {said}]",
    ),
    _sign(
        Cause.HBA_FILE_INVALID,
        None,
        r"line \d+ of configuration file",
        "PostgreSQL finds a mistake in one of its configuration files",
    ),
)

_ADDRESS = (
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"incorrect thread (?:connection string|value)",
        "DMS could not read the endpoint's host: a blank or a character that no host name has",
        decisive=True,
    ),
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"could not parse network address <address>",
        'the address "{address}" is none',
        decisive=True,
    ),
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"invalid port number: <port>|invalid integer value <value> for connection option <option>",
        '[the port "{port}" is none]["{value}" is not a value of {option}]',
    ),
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"host name must be specified",
        "no host name was given",
    ),
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"could not set SSL Server Name Indication|Unix-domain socket path <path>",
        "the host cannot be one: it is too long, or a path",
    ),
    _sign(
        Cause.HOST_INVALID,
        Stage.ADDRESS,
        r"could not match \d+ (?:port numbers|host names) to \d+",
        "the lists of hosts, addresses and ports do not fit",
    ),
    _sign(
        Cause.SOURCE_INVALID,
        Stage.ADDRESS,
        r"invalid SSL protocol version range|invalid value <value> for (?:min|max)imum SSL protocol"
        r"|could not set (?:min|max)imum SSL protocol version"
        r"|certificate present, but not private key file|does not match private key file"
        r"|unsupported sslmode <mode2>|private key file has group or world access"
        r"|could not (?:open|read) certificate file|require_auth method"
        r"|invalid \w+ value: <setting>|sslmode (?:value )?<mode> (?:may not be used|invalid)"
        r"|invalid connection option <option>|in connection info string"
        r"|GSSAPI encryption(?: required but|, but it was required)"
        r"|\bURI (?:query parameter|propagated)|\bin URI[: ]"
        r"|percent-encoded (?:token|value): <token>|service(?: file)? <file>(?: not found|, line)"
        r"|private key file <key> (?:is not a regular|has group or world access;"
        r"|must be owned by the current user)|could not stat private key file"
        r"|server (?:did not request an|accepted connection without a valid) SSL certificate",
        "a setting of the connection is not valid",
    ),
    _sign(
        Cause.DNS_FAILED,
        Stage.DNS,
        rf"could not translate {_HOST} to address: (?P<said>{_SAID}?)"
        r"(?= \[|$| additional info:| connection to server| could not translate)",
        'the name "{host}" does not resolve: {said}',
    ),
    _sign(
        Cause.DNS_FAILED,
        Stage.DNS,
        rf"could not translate {_HOST} to address",
        'the name "{host}" does not resolve',
    ),
    _sign(
        Cause.DNS_FAILED,
        Stage.DNS,
        r"failed to resolve host '?(?P<host>[^' ]+)'?|lookup (?P<host2>\S+)(?: on \S+)?: no such",
        'the name "{host}{host2}" does not resolve',
    ),
    _sign(
        Cause.DNS_FAILED,
        Stage.DNS,
        r"server DNS lookup failed",
        "a pooler cannot resolve the name of the PostgreSQL behind it",
    ),
    _sign(Cause.DNS_FAILED, Stage.DNS, _RESOLVER, "the host name does not resolve"),
)

_TCP = (
    _sign(
        Cause.CONNECTION_REFUSED,
        Stage.TCP,
        r"connection refused|actively refused|ECONNREFUSED|\[Errno (?:111|61|10061)\]"
        r"|is the server running locally|connection to \S+ refused\.",
        "{where} refuses connections: nothing listens there",
    ),
    _sign(
        Cause.HOST_UNREACHABLE,
        Stage.TCP,
        r"no route to host|(?:network|host) is unreachable|unreachable (?:network|host)"
        r"|host is down|cannot assign requested address|EHOSTUNREACH|ENETUNREACH"
        r"|could not create socket: Address family not supported"
        r"|\[Errno (?:113|101|112|65|51|64|99)\]",
        "there is no way to {where}",
    ),
    _sign(
        Cause.HOST_UNREACHABLE,
        Stage.TCP,
        rf"{_ERRNO}(?:operation not permitted|permission denied)(?: Is the server running|$)",
        "a firewall on this side forbids the connection to {where}",
    ),
    _sign(
        Cause.CONNECTION_TIMEOUT,
        Stage.TCP,
        r"timeout expired|(?:connection|operation) timed out|\bi/o timeout|timed out waiting for"
        r"|context deadline exceeded|login timeout|connect(?:ion)? timeout|\btimed out\b|ETIMEDOUT"
        r"|\b(?:Timeout|PoolTimeout|Cancelled)(?:Error|Exception)?(?:$|:)"
        r"|\[Errno (?:110|60|10060)\]",
        "{where} did not answer in time",
    ),
    _sign(
        Cause.CONNECTION_RESET,
        Stage.TCP,
        r"connection reset by peer|broken pipe|software caused connection abort"
        r"|connection was (?:forcibly closed|aborted)|connection aborted"
        r"|error sending password authentication|no connection to the server|ECONNRESET|EPIPE\b"
        r"|connection (?:was|has been) closed|connection_lost|connection terminated unexpectedly"
        r"|I/O error occurred while sending to the backend|connection to client lost"
        r"|InterfaceError: network error"
        r"|\[Errno (?:104|54|32|103)\]",
        "{where} ended the connection",
    ),
    _sign(
        Cause.CONNECTION_RESET,
        Stage.SSL_REQUEST,
        r"could not send (?:SSL negotiation|startup|GSSAPI negotiation) packet",
        "{where} ended the connection before it was asked for anything",
    ),
    _sign(
        Cause.CONNECTION_RESET,
        Stage.SSL_REQUEST,
        r"server closed the connection unexpectedly|connection has been closed unexpectedly"
        r"|could not (?:receive data from|send data to) server(?!: (?:Connection (?:refused|timed)"
        r"|Operation timed|No route|\w+ is unreachable))|server hung up"
        r"|unexpected EOF on client connection|\bunexpected EOF$",
        "{where} ended the connection without a word",
    ),
    _sign(
        Cause.NOT_POSTGRESQL,
        Stage.SSL_REQUEST,
        r"received invalid response to (?:SSL|GSSAPI) negotiation: (?P<said>.)",
        "{where} does not speak PostgreSQL: it answered {said} where S or N is due",
    ),
    _sign(
        Cause.NOT_POSTGRESQL,
        Stage.SSL_REQUEST,
        r"expected authentication request from server, but received (?P<said>.)"
        r"|unexpected response from server; first received character was <first>",
        "{where} does not speak PostgreSQL: it answered[ {said}][ {first}]",
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        r"server does not support (?:SSL|TLS)|server refuse[sd] (?:SSL|TLS)|rejected SSL upgrade"
        r"|SSL is not enabled on the server|No SSL enabled connection from this host is configured",
        "{where} has no TLS: ssl is off",
    ),
    # what the server's own log says of its certificate and key: the reason stands after the colon
    _sign(
        Cause.KEY_MISMATCH,
        Stage.SSL_REQUEST,
        rf"(?:{_LOADING}|check of private key failed).{{0,400}}?key[ _](?:values|type)[ _]mismatch"
        r"|key[ _]values[ _]mismatch",
        "PostgreSQL was given a private key that is not its certificate's[: {file}]",
    ),
    _sign(
        Cause.KEY_ENCRYPTED,
        Stage.SSL_REQUEST,
        rf"{_LOADING}: (?:[^:]{{0,80}}: ?){{0,4}}?(?:bad[ _](?:decrypt|password[ _]read)"
        r"|problems?[ _]getting[ _]password|interrupted[ _]or[ _]cancelled|empty[ _]password)",
        "PostgreSQL cannot open its private key, which has a passphrase[: {file}]",
    ),
    _sign(
        Cause.CERTIFICATE_WEAK,
        Stage.SSL_REQUEST,
        rf"{_LOADING}: .{{0,200}}?(?:(?:ee|ca)[ _]key[ _]too[ _]small|key too weak"
        r"|(?:ca|ee)[ _]md[ _]too[ _]weak)",
        "PostgreSQL's OpenSSL finds its certificate too weak[: {file}]",
    ),
    _sign(
        Cause.PEM_DAMAGED,
        Stage.SSL_REQUEST,
        rf"{_LOADING}: .{{0,200}}?(?:bad[ _](?:base64|end[ _]line)|too[ _]long|header[ _]too"
        r"|wrong[ _]tag|not[ _]enough[ _]data|nested[ _]asn1|asn1|ASN\.?1|PEM[ _]lib)",
        "PostgreSQL cannot read the PEM of its certificate or key[: {file}]",
    ),
    _sign(
        Cause.NOT_PEM,
        Stage.SSL_REQUEST,
        rf"{_LOADING}: .{{0,200}}?(?:no[ _]start[ _]line|DECODER|unsupported)",
        "PostgreSQL was given a file that holds no PEM of that kind[: {file}]",
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        rf"{_LOADING}(?:: (?P<said>{_SAID}))?"
        r"|could not access private key file <file2>(?:: (?P<said2>[^\[:]{1,60}))?"
        r"|private key file <file3> (?:has group or world access(?!;)|must be owned by the database"
        r"|is not a regular file)|private key file has (?:wrong|bad) permissions",
        "PostgreSQL cannot load its certificate or key[ {file}][ {file2}][ {file3}][: {said}]"
        "[: {said2}]",
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        r"SSL configuration was not reloaded",
        "PostgreSQL has not taken its new certificate and key, and goes on with the old ones",
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        r"certificate and key (?:parameters|files?) must be set|client_tls_key_file and"
        r" client_tls_cert_file must be set",
        "TLS is meant to be on there, and no certificate and key are set",
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        r"hostssl (?:record cannot match because SSL is disabled|requires SSL to be turned on)",
        "pg_hba.conf has hostssl lines, and ssl is off, so they match nobody",
        decisive=True,
    ),
    _sign(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        r"hostssl (?:record cannot match because SSL is not supported|not supported on this"
        r" platform)|SSL is not supported by this build",
        "this PostgreSQL was built without TLS",
        decisive=True,
    ),
    _sign(
        Cause.TLS_NO_SHARED_PROTOCOL,
        Stage.SSL_REQUEST,
        r"could not set SSL protocol version range|<setting> cannot be higher than <setting2>"
        r"|<setting3> setting <value> not supported by this build",
        "the server's ssl_min_protocol_version and ssl_max_protocol_version leave no version",
    ),
    _sign(
        Cause.TLS_NO_SHARED_CIPHER,
        Stage.SSL_REQUEST,
        r"could not set the (?:cipher list|TLSv1\.3 cipher suites|group names)|ECDH: unrecognized"
        r" curve|could not load DH parameters",
        "the server's ssl_ciphers, ssl_groups or DH parameters cannot be used",
    ),
    _sign(
        Cause.CA_BUNDLE_INVALID,
        Stage.SSL_REQUEST,
        r"could not load root certificate file <file>",
        "PostgreSQL cannot load ssl_ca_file[ {file}], with which it judges its clients",
    ),
    _sign(
        Cause.CRL_INVALID,
        Stage.SSL_REQUEST,
        r"could not load SSL certificate revocation list (?:file|directory) <file>",
        "PostgreSQL cannot load its revocation list[ {file}]",
    ),
    # pg_hba.conf itself: the name of the file is not a message
    _sign(
        Cause.HBA_FILE_UNREADABLE,
        Stage.STARTUP,
        r"could not (?:open|read|stat|access) (?:(?:configuration|authentication|usermap|ident|HBA)"
        r" )?(?:file|directory) (?:<file>|\S*p(?:g|ool)_(?:hba|ident)\.conf\S*)"
        rf"(?:: (?P<said>{_SAID}))?|could not load \S*p(?:g|ool)_(?:hba|ident)\.conf"
        r"|could not open (?:secondary authentication|included authentication) file",
        "PostgreSQL cannot open[ {file}][: {said}]",
    ),
    _sign(
        Cause.HBA_FILE_INVALID,
        Stage.STARTUP,
        r"p(?:g|ool)_(?:hba|ident)\.conf was not reloaded|invalid authentication method <word>"
        r"|invalid connection type <word2>|end-of-line before \w+(?: \w+)?"
        r"|missing entry (?:in file <file>|at end of line)"
        r"|invalid (?:IP (?:address|mask)|CIDR mask in address) <word3>"
        r"|IP address and mask do not match|specifying both host name and CIDR mask"
        r"|authentication (?:option|method) <word4>(?: argument)? (?:is only valid|requires)"
        r"|unrecognized authentication option name|authentication option not in name=value"
        r"|clientcert (?:can only be configured|only accepts|cannot be set|must be)"
        r"|(?:peer|cert|gssapi|ident) authentication is (?:only|not) supported on"
        r"|multiple values (?:specified for|in) |authentication file (?:token|line) too long"
        r"|(?:hostgssenc|local) (?:record cannot match|connections are not supported)"
        r"|invalid value for clientcert|list of RADIUS (?:servers|secrets)|hba_file_rules",
        "PostgreSQL finds a mistake in pg_hba.conf or pg_ident.conf"
        '[: "{word}"][: "{word2}"][: "{word3}"][: "{word4}"]',
    ),
    _sign(
        Cause.PROTOCOL_VIOLATION,
        Stage.SSL_REQUEST,
        r"received unencrypted data after (?:SSL|GSSAPI)",
        "{where} sent bytes in plain text after agreeing to TLS: an injection, or a broken proxy",
        decisive=True,
    ),
    _sign(
        Cause.PROTOCOL_VIOLATION,
        Stage.SSL_REQUEST,
        r"server sent an error response during (?:SSL exchange|GSS encryption)",
        "{where} answered the request for TLS with an error",
    ),
)

_TLS = (
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.TLS,
        r"client certificate verification failed|client certificates can only be checked if",
        "the server does not accept the client's certificate",
        decisive=True,
    ),
    # as the server's own log tells it: there, an alert is what the client thought of the server
    _sign(
        Cause.UNKNOWN_AUTHORITY,
        Stage.TLS,
        r"could not accept SSL connection: .{0,40}alert unknown ca",
        "a client did not trust the CA of the server's certificate",
        decisive=True,
    ),
    _sign(
        Cause.CERTIFICATE_REJECTED,
        Stage.TLS,
        r"could not accept SSL connection: .{0,40}alert (?:bad certificate|certificate unknown"
        r"|unsupported certificate)",
        "a client did not accept the server's certificate",
        decisive=True,
    ),
    # a server verifies nobody but its clients
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.TLS,
        r"could not accept SSL connection: .{0,120}?(?:certificate[ _]verify[ _]failed"
        r"|no[ _]certificate[ _]returned|unable to get (?:local )?issuer|self[- ]signed certificate"
        r"|certificate has expired|unsu(?:pported|itable) certificate purpose)",
        "the server does not accept the certificate that a client showed",
        decisive=True,
    ),
    # before the hint about versions, which libpq adds here too
    _sign(
        Cause.TLS_FAILED,
        Stage.TLS,
        r"wrong[ _]version[ _]number|packet[ _]length[ _]too[ _]long|http[ _]request\b"
        r"|unknown[ _]protocol|record[ _]layer[ _]failure|first record does not look like a TLS"
        r"|unrecognized SSL message",
        "what {where} sends is not TLS",
    ),
    _sign(
        Cause.TLS_NO_SHARED_PROTOCOL,
        Stage.TLS,
        r"does not support any SSL protocol version between (?P<low>\S+) and (?P<high>[\w.]+\d)",
        "{where} takes no TLS version from {low} to {high}",
    ),
    _sign(
        Cause.TLS_NO_SHARED_PROTOCOL,
        Stage.TLS,
        r"alert protocol[ _]version|unsupported[ _]protocol|no[ _]protocols[ _]available"
        r"|wrong[ _]ssl[ _]version|version[ _]too[ _](?:low|high)|protocol version not supported$"
        r"|alert: protocol_version|No appropriate protocol"
        r"|remote error: tls: protocol version"
        r"|tls: (?:server selected )?unsupported protocol version",
        "{where} and the client have no TLS version in common",
    ),
    _sign(
        Cause.TLS_NO_SHARED_CIPHER,
        Stage.TLS,
        r"alert:? handshake[ _]failure|alert:? insufficient[ _]security|no[ _]shared[ _]cipher"
        r"|no[ _]ciphers?[ _](?:available|match)|no[ _]suitable[ _](?:key[ _]share|groups?|sig)"
        r"|no[ _]shared[ _](?:group|sig)|tls: handshake failure|wrong[ _]curve"
        r"|no[ _]common[ _]signature|unsupported[ _]elliptic[ _]curve",
        "{where} and the client have no cipher in common",
    ),
    _sign(
        Cause.TLS_NO_SHARED_CIPHER,
        Stage.TLS,
        r"dh[ _]key[ _]too[ _]small|bad[ _]ecpoint",
        "the key exchange that {where} offers is too weak",
    ),
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.TLS,
        r"alert:? certificate[ _]required|peer did not return a certificate"
        r"|tls: certificate required",
        "{where} wants a client certificate",
    ),
    _sign(
        Cause.CERTIFICATE_EXPIRED,
        Stage.TLS,
        r"alert certificate[ _]expired",
        "the other side says that the certificate has expired",
    ),
    _sign(
        Cause.CERTIFICATE_REVOKED,
        Stage.TLS,
        r"alert certificate[ _]revoked",
        "the other side says that the certificate is revoked",
    ),
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.TLS,
        r"alert:? (?:unknown[ _]ca\b|bad[ _]certificate|unsupported[ _]certificate"
        r"|certificate[ _]unknown)|remote error: tls: (?:bad|unknown|unsupported|expired|revoked)"
        r" (?:certificate|ca\b)",
        "{where} does not trust the client's certificate",
    ),
    _sign(
        Cause.TLS_ALERT,
        Stage.TLS,
        r"(?:sslv3|tlsv1|tlsv13|ssl/tls) (?:alert )?"
        r"(?P<alert>[a-z]+(?: (?!connection to|additional info)[a-z]+){0,2})"
        r"|(?:SSLV3|TLSV1|TLSV13)_ALERT_(?P<alert2>\w+)|remote error: tls: (?P<alert3>[\w ]{1,60})"
        r"|fatal alert: (?P<alert4>\w+)",
        "{where} ended the TLS handshake with the alert[ {alert}][ {alert2}][ {alert3}][ {alert4}]",
    ),
    # the trust that the client was given
    _sign(
        Cause.CA_BUNDLE_MISSING,
        Stage.TLS,
        r"root certificate file <file> does not exist",
        "there is no file of trusted CAs at {file}",
    ),
    _sign(
        Cause.CA_BUNDLE_MISSING,
        Stage.TLS,
        r"could not (?:get home directory to locate root|open SSL root) certificate file"
        r"|provide the file(?:, use the system's trusted roots with sslrootcert=system,)?"
        r" or change sslmode|trustAnchors parameter must be non-empty",
        "there is no file of trusted CAs",
    ),
    _sign(
        Cause.CA_BUNDLE_INVALID,
        Stage.TLS,
        r"could not (?:read root certificate file <file>|load system root certificate paths)"
        rf"(?:: (?P<said>{_SAID}))?|no certificate or crl found",
        "the file of trusted CAs[ {file}] cannot be read[: {said}]",
    ),
    # the name
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"server certificate for <name> \(and (?P<more>\d+) other names?\)"
        r" does not match host name <host>",
        'the certificate is for "{name}" and {more} more, not for "{host}"',
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"server certificate for <name> does not match host name <host>",
        'the certificate is for "{name}", not for "{host}"',
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"could not get server's host name from server certificate|certificate's name entry is"
        r" missing|certificate's address entry is missing",
        "the certificate holds no name at all",
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"certificate's name contains embedded null",
        "a name in the certificate holds a NUL, as a forged one does",
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"certificate contains IP address with invalid length",
        "an IP address in the certificate has a length that none has",
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"certificate is not valid for any names",
        "the certificate holds no name at all",
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"certificate is (?:not )?valid for '?(?P<names>[^']{1,200}?)'?(?:, not (?P<host>\S+?))?"
        r"(?=\.?(?: \(|$|'))",
        "the certificate does not fit the host[ {host}], it is for {names}",
    ),
    _sign(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        r"(?:host ?name|ip address) mismatch|does not match host name|doesn't contain any IP SANs"
        r"|cannot validate certificate for|does not match the certificate|altnames"
        r"|No subject alternative|could not be verified by hostnameverifier|NameMismatch"
        r"|relies on legacy Common Name|ALTNAME_INVALID|match any of the subject alternative names",
        "the certificate does not fit the host",
    ),
    # a chain that does not verify, in the words of Go, Java, Node and .NET
    _sign(
        Cause.CERTIFICATE_NOT_YET_VALID,
        Stage.TLS,
        r"not yet valid: current time \S+ is before|CertificateNotYetValidException"
        r"|CERT_NOT_YET_VALID",
        "a certificate of the chain is not valid yet",
    ),
    _sign(
        Cause.CERTIFICATE_EXPIRED,
        Stage.TLS,
        r"x509: certificate has expired or is not yet valid|CertificateExpiredException"
        r"|CERT_HAS_EXPIRED|NotTimeValid|validity check failed",
        "a certificate of the chain is out of its time",
    ),
    _sign(
        Cause.UNKNOWN_AUTHORITY,
        Stage.TLS,
        r"signed by unknown authority|PKIX path building failed|UntrustedRoot|PartialChain"
        r"|unable to find valid certification path|does not chain with any of the trust anchors"
        r"|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT"
        r"|invalid peer certificate: UnknownIssuer",
        "the served chain ends in a CA that is not trusted",
    ),
    _sign(
        Cause.CHAIN_INCOMPLETE,
        Stage.TLS,
        r"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "the server serves its certificate without the intermediates",
    ),
    _sign(
        Cause.SELF_SIGNED,
        Stage.TLS,
        r"DEPTH_ZERO_SELF_SIGNED_CERT",
        "the server's certificate is signed by itself",
    ),
    # a signature that does not fit, which OpenSSL reports by the step that failed
    _sign(
        Cause.SIGNATURE_INVALID,
        Stage.TLS,
        r"invalid[ _]padding|padding[ _]check[ _]failed|bad[ _]signature|block[ _]type[ _]is[ _]not"
        r"|wrong[ _]signature[ _]length|data[ _]too[ _]large[ _]for[ _]modulus"
        r"|first[ _]octet[ _]invalid|last[ _]octet[ _]invalid|unknown[ _]padding[ _]type"
        r"|null[ _]before[ _]block[ _]missing|bad[ _]pad[ _]byte[ _]count"
        r"|signature (?:is invalid|check failed)"
        r"|\bEVP[ _]lib\b|provider[ _]signature[ _]failure|wrong[ _]public[ _]key[ _]type",
        "a signature in the chain does not fit the trusted CA's key",
    ),
    _sign(
        Cause.CERTIFICATE_WEAK,
        Stage.TLS,
        r"(?:ee|ca|end entity)[ _]key[ _]too[ _]small|(?:ca|ee)[ _]md[ _]too[ _]weak"
        r"|legacy[ _]sigalg[ _]disallowed",
        "a key or signature of the chain is too weak for this client",
    ),
    _sign(
        Cause.CONNECTION_TIMEOUT,
        Stage.TLS,
        r"SSL SYSCALL error: (?:Connection|Operation) timed out|handshake operation timed out",
        "{where} did not answer in time during the TLS handshake",
    ),
    _sign(
        Cause.CONNECTION_RESET,
        Stage.TLS,
        r"(?:SSL SYSCALL error|could not accept SSL connection): (?P<said>EOF detected"
        r"|Connection reset by peer|Broken pipe|Success)"
        r"|SSL connection has been closed unexpectedly|unexpected[ _]eof[ _]while[ _]reading"
        r"|EOF occurred in violation of protocol|tls: .{0,40}EOF"
        r"|disconnected before secure TLS connection",
        "{where} ended the connection in the middle of TLS",
    ),
    _sign(
        Cause.TLS_FAILED,
        Stage.TLS,
        rf"SSL SYSCALL error: (?P<said>{_SAID})",
        "the TLS connection failed: {said}",
    ),
    _sign(
        Cause.TLS_FAILED,
        Stage.TLS,
        r"SSL_(?:read|write) failed|unrecognized SSL error code|no SSL error reported"
        r"|could not set SSL ALPN|certificate could not be (?:obtained|validated)",
        "the TLS connection failed for a reason that the client's TLS library does not tell",
    ),
    _sign(
        Cause.TLS_FAILED,
        Stage.TLS,
        r"(?:established with unexpected|without) ALPN protocol|no application protocol",
        "{where} does not agree to PostgreSQL's ALPN name",
    ),
)

_LOGIN = (
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.STARTUP,
        r"connection requires a valid client certificate",
        "pg_hba.conf wants a client certificate",
    ),
    _sign(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.LOGIN,
        r"certificate authentication failed for user <user>",
        'pg_hba.conf lets "{user}" in with a client certificate alone',
    ),
    *(
        _sign(cause, Stage.STARTUP, f"{words}{_HBA_NAMES}{tail}", seen)
        for cause, tail, without in (
            (Cause.HBA_REJECTED, _ENCRYPTED, ""),
            (Cause.HBA_REJECTED_PLAINTEXT, _PLAIN, " without TLS"),
        )
        for words, seen in (
            (
                _HBA_NO_ENTRY,
                f'pg_hba.conf has no line[ for "{{user}}"][ from {{client}}]{without}',
            ),
            (_HBA_REJECTS, f'pg_hba.conf rejects[ "{{user}}"][ from {{client}}]{without}'),
        )
    ),
    *(
        _sign(Cause.HBA_REJECTED, Stage.STARTUP, f"{words}{_HBA_NAMES}", seen, either=TLS_OR_NOT)
        for words, seen in (
            (
                _HBA_NO_ENTRY.removesuffix("for (?:replication connection from )?host")
                + r"(?:for (?:replication connection from )?(?:host)?)?",
                'pg_hba.conf has no line[ for "{user}"][ from {client}]',
            ),
            (
                r"pg_hba\.conf rejects(?: (?:replication )?connection(?: for (?:host)?)?)?",
                'pg_hba.conf rejects[ "{user}"][ from {client}]',
            ),
        )
    ),
    _sign(
        Cause.HBA_REJECTED,
        Stage.STARTUP,
        r"authentication failed for user <user>: host rejected",
        'pg_hba.conf lets[ "{user}"] in from nowhere near there',
    ),
    _sign(
        Cause.HBA_REJECTED_PLAINTEXT,
        Stage.STARTUP,
        r"SSL connection is required|SSL required\b|requires? (?:TLS|SSL)\b(?! to be)"
        r"|connection is insecure|server requires encryption|SSL connection required|TLS required"
        r"|allowed only with SSL connections",
        "the server takes no plain-text connection",
    ),
    _sign(
        Cause.PASSWORD_REJECTED,
        Stage.LOGIN,
        r"(?:password|LDAP|RADIUS|BSD|OAuth bearer|IAM|md5|scram\S*) authentication failed"
        r" for (?:user|the role|role) <user>",
        'the server does not accept the password of "{user}"',
    ),
    _sign(
        Cause.PASSWORD_REJECTED,
        Stage.LOGIN,
        r"(?:password|LDAP|RADIUS|IAM|md5) authentication failed"
        r"|invalid password\b(?! packet| response)"
        r"|password that was provided for the role \S+ is wrong"
        r"|error received from server in SCRAM exchange|SASL authentication failed\b"
        r"|password does not match for user|has an expired password|has no password assigned"
        r"|does not have a valid SCRAM secret|server rejected OAuth bearer token"
        # pgpool
        r"|(?:^|: )(?:SCRAM )?authentication failed(?:$| DETAIL)"
        r"|or password does not exist in backend|pool_passwd file does not contain an entry",
        "the server does not accept the password",
    ),
    _sign(
        Cause.ROLE_NEEDS_IAM,
        Stage.LOGIN,
        r"(?:PAM|Cloud SQL IAM [a-z ]{1,20}) authentication failed(?: for (?:user |role )?<user>)?"
        r"|pam_authenticate failed",
        'the server asks PAM about[ "{user}"] instead of comparing a password',
    ),
    _sign(
        Cause.PASSWORD_MISSING,
        Stage.LOGIN,
        r"no password supplied|empty password returned by client"
        r"|no password (?:was|has been) provided|password is required|client password must be",
        "the server wants a password, and none was given",
    ),
    _sign(
        Cause.UNSAFE_PASSWORD_REQUEST,
        Stage.LOGIN,
        r"channel binding (?:is )?required|incorrect server signature"
        r"|could not verify server signature"
        r"|SCRAM channel binding (?:check failed|negotiation error)"
        r"|unexpected SCRAM channel-binding attribute"
        r"|server requested a (?:cleartext|hashed) password"
        r"|offered SCRAM-SHA-256-PLUS authentication over a non-SSL",
        "the server did not prove that it knows the password, or that nobody is in between",
    ),
    _sign(
        Cause.AUTHENTICATION_UNSUPPORTED,
        Stage.LOGIN,
        r"(?P<method>Ident|Peer|GSSAPI|SSPI|Kerberos \d|trust|<quoted>) authentication failed"
        r" for user <user>",
        'pg_hba.conf asks "{user}" for a method that no password answers: {method}',
    ),
    _sign(
        Cause.AUTHENTICATION_UNSUPPORTED,
        Stage.LOGIN,
        r"could not (?:find digest for NID|determine server certificate signature algorithm"
        r"|generate peer certificate hash)",
        "the server certificate's signature has no hash that SCRAM could bind to, as with Ed25519",
        remedy="Let the CA sign the server's certificate with RSA or ECDSA and SHA-256, install it "
        "and reload: no libpq can log in by SCRAM over TLS with a signature that has no hash.",
    ),
    _sign(
        Cause.AUTHENTICATION_UNSUPPORTED,
        Stage.LOGIN,
        r"authentication (?:method|type) (?:requirement <method> failed|\d+ (?:is )?not supported"
        r"|not supported)"
        r"|SASL authentication mechanisms are (?:not )?supported"
        r"|(?:GSSAPI|SSPI|Kerberos \d|Crypt|SCM_CRED) authentication (?:method )?not supported"
        r"|SCRAM authentication requires libpq|requires OAuth authentication"
        r"|server requested (?:\w+ authentication|an unknown authentication type)"
        r"|supports only IAM|no OAuth flows are available|OAuth flow failed|oauth_issuer is not set"
        r"|(?:initiate GSSAPI security context|GSSAPI (?:context|name import) error)"
        r"|SASL authentication is not supported in|invalid SASL authentication mechanism"
        r"|channel binding not supported by SCRAM|unsupported SCRAM extension"
        r"|uses authorization identity",
        "the server asks for a way to log in that this client does not know",
    ),
    _sign(
        Cause.ROLE_MISSING,
        Stage.LOGIN,
        r"(?:role|user) (?:<user>|with OID \d+) does not exist",
        'there is no role[ "{user}"]',
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.LOGIN,
        r"role <user> is not permitted to log in",
        'the role "{user}" has no LOGIN',
    ),
    _sign(
        Cause.DATABASE_MISSING,
        Stage.LOGIN,
        r"database (?:<database>|(?:with OID )?\d+) does not exist"
        r"|database <gone> has disappeared|cannot connect to invalid database <broken>",
        'there is no database[ "{database}"][ "{gone}"][ "{broken}"]',
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.LOGIN,
        r"database <database> is not currently accepting connections",
        'the database "{database}" has ALLOW_CONNECTIONS false',
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.LOGIN,
        r"permission denied for database <database>|does not have CONNECT privilege",
        'the role may not connect to the database[ "{database}"]',
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.QUERY,
        r"must be (?:superuser|replication role).{0,60}(?:walsender|WAL sender|replication)"
        r"|permission denied to (?:start WAL sender|use replication slots)"
        r"|must be superuser(?! to connect)",
        "the role may not replicate",
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.LOGIN,
        r"permission denied to set parameter <name>",
        'the role may not set "{name}", which the connection asks for',
    ),
    _sign(
        Cause.SOURCE_INVALID,
        Stage.STARTUP,
        r"unrecognized configuration parameter <name>|invalid value for parameter <name2>"
        r"|parameter <name3> cannot be (?:set|changed)|invalid command-line argument for server"
        r"|conversion between \w+ and \w+ is not supported",
        "the server does not take a setting that the connection, the role or the database has"
        '[: "{name}"][: "{name2}"][: "{name3}"]',
    ),
    _sign(
        Cause.PERMISSION_DENIED,
        Stage.QUERY,
        r"permission denied for (?P<kind>(?!database \")[a-z ]{3,30}?) (?P<name>[\w.]+|<quoted>)",
        "the role may not use {kind} {name}",
    ),
    _sign(
        Cause.TOO_MANY_CONNECTIONS,
        Stage.LOGIN,
        r"too many clients already|remaining connection slots are reserved"
        r"|could not fork new process for connection"
        r"|max(?:imum)? client(?: connection)?s? (?:are )?(?:limited|reached)"
        r"|number of requested standby connections exceeds",
        "every connection slot of the server is taken",
    ),
    _sign(
        Cause.TOO_MANY_CONNECTIONS,
        Stage.LOGIN,
        r"too many (?:active )?connections(?: for (?P<kind>role|database|tenant) <name>)?",
        'every connection slot[ of {kind} "{name}"] is taken',
    ),
    _sign(
        Cause.SERVER_STARTING,
        Stage.STARTUP,
        r"database system is (?P<state>starting up|in recovery mode|not yet accepting connections"
        r"|not accepting connections)|superuser to connect (?P<state2>in binary upgrade mode)"
        r"|is (?P<state3>resuming after being auto-paused)",
        "the server takes no sessions: it is[ {state}][ {state2}][ {state3}]",
    ),
    _sign(
        Cause.SERVER_STARTING,
        Stage.LOGIN,
        r"terminating connection because of crash of another server process",
        "the server has crashed and starts again",
    ),
    _sign(
        Cause.SERVER_SHUTTING_DOWN,
        Stage.STARTUP,
        r"database system is shutting down|superuser to connect during database shutdown"
        r"|terminating connection due to (?:administrator command"
        r"|immediate shutdown|unexpected postmaster exit)",
        "the server is being stopped",
    ),
    _sign(
        Cause.CONNECTION_TIMEOUT,
        Stage.LOGIN,
        r"canceling authentication due to timeout",
        "the server gave the client up: the login took too long",
    ),
    _sign(
        Cause.CONNECTION_RESET,
        Stage.STARTUP,
        r"terminating (?:connection|walsender process)\b",
        "the server ended the session",
    ),
    _sign(
        Cause.CONNECTION_TIMEOUT,
        Stage.QUERY,
        r"canceling statement due to (?:statement|lock) timeout",
        "the server ended the query: it took too long",
    ),
    _sign(
        Cause.DIFFERENT_NODE_ANSWERS,
        Stage.QUERY,
        r"session is (?:not )?read-only|server is (?:not )?in hot standby mode"
        r"|could not make a writable connection",
        "another kind of node answers than was asked for",
    ),
    _sign(
        Cause.POOLER_REJECTED,
        Stage.LOGIN,
        r"\((?P<code>E(?!CONN|AUTH|TIMEDOUT|HOSTUNREACH|NETUNREACH)[A-Z_]{4,40})\)"
        r"|tenant(?: or |/)user.{0,120}not found",
        "a pooler in front of PostgreSQL does not know this user[ ({code})]",
        decisive=True,
    ),
    _sign(
        Cause.POOLER_REJECTED,
        Stage.LOGIN,
        r"pgbouncer (?:cannot|can't|could not)|no such (?:user|database)\b"
        r"|unsupported startup parameter|client_login_timeout|auth_query failed"
        r"|database <database> is (?:disabled|paused)|server conn crashed"
        r"|RDS Proxy currently doesn't|route for .{1,200} is not found"
        r"|login rejected|bouncer (?:config|shutting|is)|RDS proxy has no credentials"
        r"|no pool configured|requested endpoint could not be found|endpoint has been disabled",
        "a pooler in front of PostgreSQL turned the connection away",
        decisive=True,
    ),
    # its own words around those of the server, which say more when they are there
    _sign(
        Cause.POOLER_REJECTED,
        None,
        r"server login (?:has been failing|failed)|server_login_retry|\(E?AUTH\w*\)",
        "a pooler in front of PostgreSQL cannot log in to the server",
    ),
    _sign(
        Cause.PROTOCOL_VIOLATION,
        Stage.STARTUP,
        r"lost synchronization with server|unexpected message from server during startup"
        r"|received invalid (?:authentication request|error message|protocol negotiation"
        r"|BackendKeyData)|malformed SCRAM message|server returned too much data"
        r"|invalid SCRAM response|duplicate (?:SASL|GSS) authentication request"
        r"|AuthenticationSASLFinal received|message contents do not agree with length"
        r"|unexpected response from server(?!; first)|protocol error:"
        r"|unknown authentication message|invalid password (?:packet|response)"
        r"|expected \w+ response, got message type"
        r"|server did not complete authentication|invalid authentication request from server"
        r"|error in SASL authentication|invalid SCRAM exchange state|no client response found"
        r"|protocol synchronization was lost|duplicate protocol negotiation message",
        "{where} breaks the rules of PostgreSQL's protocol",
    ),
    _sign(
        Cause.PROTOCOL_VIOLATION,
        Stage.STARTUP,
        r"unsupported frontend protocol|(?:incomplete|invalid(?: length of)?) startup packet"
        r"|protocol (?:version|extensions?) not supported by server"
        r"|server only supports protocol version|no PostgreSQL user name specified",
        "the server does not understand the client's protocol",
    ),
)


# X509_V_ERR numbers and words of OpenSSL 1.1.1 and 3 (X509_STORE_CTX_get_error(3)), cause, seen
_VERIFY: tuple[tuple[frozenset[int], str, Cause, str], ...] = (
    (
        frozenset({2}),
        "unable to get issuer certificate",
        Cause.UNKNOWN_AUTHORITY,
        "the trusted CA is an intermediate, and its own issuer is not trusted",
    ),
    (
        frozenset({21}),
        "unable to verify the first certificate",
        Cause.CHAIN_INCOMPLETE,
        "the server serves its certificate without the intermediates",
    ),
    (
        frozenset({20}),
        "unable to get local issuer certificate",
        Cause.UNKNOWN_AUTHORITY,
        "the issuer of a served certificate is not among the trusted CAs",
    ),
    (
        frozenset({19}),
        "self[- ]signed certificate in certificate chain",
        Cause.UNKNOWN_AUTHORITY,
        "the served chain ends in a root that is not trusted",
    ),
    (
        frozenset({18}),
        "self[- ]signed certificate",
        Cause.SELF_SIGNED,
        "the server's certificate is signed by itself",
    ),
    (
        frozenset({3, 5, 8, 11, 12, 15, 16, 33, 35, 36, 44, 54}),
        r"(?<!or )\bCRL\b",
        Cause.CRL_UNAVAILABLE,
        "there is no current revocation list for a CA of the chain",
    ),
    (
        frozenset({4, 7, 77}),
        "certificate signature failure|decrypt certificate's signature"
        "|subject signature algorithm and issuer public key algorithm mismatch",
        Cause.SIGNATURE_INVALID,
        "a signature in the chain does not fit the trusted CA's key",
    ),
    (
        frozenset({9}),
        "certificate is not yet valid",
        Cause.CERTIFICATE_NOT_YET_VALID,
        "a certificate of the chain is not valid yet",
    ),
    (
        frozenset({10}),
        "certificate has expired",
        Cause.CERTIFICATE_EXPIRED,
        "a certificate of the chain has expired",
    ),
    (
        frozenset({23}),
        "certificate(?: is)? revoked",
        Cause.CERTIFICATE_REVOKED,
        "a certificate of the chain is revoked",
    ),
    (
        frozenset({26}),
        "(?:unsupported|unsuitable) certificate purpose",
        Cause.CERTIFICATE_WRONG_PURPOSE,
        "the certificate is not meant for a server",
    ),
    (
        frozenset({62, 64}),
        "(?:hostname|IP address) mismatch",
        Cause.HOSTNAME_MISMATCH,
        "the certificate does not fit the host",
    ),
    (
        frozenset({66, 67, 68}),
        "key too weak|signature digest algorithm too weak",
        Cause.CERTIFICATE_WEAK,
        "a key or signature of the chain is too weak for this client",
    ),
    (
        frozenset(range(80, 94)),
        "path length (?:invalid for non-CA|given without)|keyCertSign invalid for non-CA"
        "|(?:issuer|subject) name empty|missing (?:authority|subject) key identifier"
        "|empty subject alternative name|subject empty and subject alt name"
        "|basic constraints of CA cert not marked|key identifier marked critical"
        "|CA cert does not include key usage"
        "|requires at least X509v3",
        Cause.CA_NOT_STRICT,
        "the chain lacks what RFC 5280 asks for, which libpq accepts and stricter clients refuse",
    ),
    (
        frozenset(),
        "certificate[ _]verify[ _]failed|tls: failed to verify certificate"
        "|remote certificate (?:is invalid|was rejected)"
        "|SSL error: (?:invalid certificate|(?:utc|generalized)time is too short)",
        Cause.CERTIFICATE_REJECTED,
        "the server's certificate does not verify; libpq does not say why",
    ),
)
_VERIFYING = (
    *(
        _sign(cause, Stage.TLS, rf"(?:verify|certificate|SSL|error)\b.{{0,80}}(?:{words})", seen)
        if cause is Cause.CRL_UNAVAILABLE
        else _sign(cause, Stage.TLS, words, seen)
        for _codes, words, cause, seen in _VERIFY
    ),
)
_LAST = (
    _sign(
        Cause.TLS_FAILED,
        Stage.TLS,
        rf"SSL error: (?P<said>{_SAID})|SSL error code (?P<code>\d+)"
        rf"|could not (?:establish|accept) SSL connection: (?P<said2>{_SAID})"
        rf"|could not create SSL context: (?P<said3>{_SAID})|\[SSL(?:: (?P<said4>\w+))?\]"
        rf"|tls: (?P<said5>{_SAID})",
        "the TLS connection failed:[ {said}][ {said2}][ {said3}][ {said4}][ {said5}][ code {code}]",
    ),
)

SYMPTOMS: tuple[Symptom, ...] = (
    *_FIRST,
    *_ADDRESS,
    *_TCP,
    *_TLS,
    *_VERIFYING,
    *_LAST,
    *_LOGIN,
)

VERIFY_CODES: dict[int, tuple[Cause, str]] = {
    code: (cause, seen) for codes, _words, cause, seen in _VERIFY for code in codes
}

# 28000 covers pg_hba.conf, roles that are missing or may not log in, and client certificates
_28000 = (*TLS_OR_NOT, ("If there is no such role", Cause.ROLE_MISSING))
# PostgreSQL's SQLSTATEs (errcodes.txt), for a message in words that we do not know
_STATES: dict[str, tuple[Cause, Stage, str]] = {
    "28P01": (Cause.PASSWORD_REJECTED, Stage.LOGIN, "the server does not accept the password"),
    "28000": (Cause.HBA_REJECTED, Stage.STARTUP, "the server does not let this user in"),
    "3D000": (Cause.DATABASE_MISSING, Stage.LOGIN, "there is no such database"),
    "42501": (Cause.PERMISSION_DENIED, Stage.LOGIN, "the role may not do that"),
    "22023": (Cause.SOURCE_INVALID, Stage.STARTUP, "the server does not take a setting"),
    "42704": (Cause.SOURCE_INVALID, Stage.STARTUP, "the server does not know a setting"),
    "53300": (Cause.TOO_MANY_CONNECTIONS, Stage.LOGIN, "every connection slot is taken"),
    "57P01": (Cause.SERVER_SHUTTING_DOWN, Stage.LOGIN, "the server is being stopped"),
    "57P02": (Cause.SERVER_STARTING, Stage.LOGIN, "the server has crashed and starts again"),
    "57P03": (Cause.SERVER_STARTING, Stage.STARTUP, "the server takes no sessions at the moment"),
    "57P04": (Cause.DATABASE_MISSING, Stage.LOGIN, "the database was dropped"),
    "57014": (Cause.CONNECTION_TIMEOUT, Stage.QUERY, "the server ended the query"),
    "08P01": (Cause.PROTOCOL_VIOLATION, Stage.STARTUP, "the two do not speak the same protocol"),
    "0A000": (Cause.AUTHENTICATION_UNSUPPORTED, Stage.LOGIN, "the server cannot do what was asked"),
}
SQLSTATES: dict[str, Symptom] = {
    state: _sign(cause, stage, "", seen, either=_28000 if state == "28000" else ())
    for state, (cause, stage, seen) in _STATES.items()
}

# TLS alerts (RFC 8446, section 6, and RFC 5246), as a client receives them
ALERTS: dict[int, tuple[Cause, str]] = {
    10: (Cause.TLS_ALERT, "unexpected_message"),
    20: (Cause.TLS_ALERT, "bad_record_mac"),
    21: (Cause.TLS_ALERT, "decryption_failed"),
    22: (Cause.TLS_ALERT, "record_overflow"),
    40: (Cause.TLS_NO_SHARED_CIPHER, "handshake_failure"),
    42: (Cause.CLIENT_CERTIFICATE_REQUIRED, "bad_certificate"),
    43: (Cause.CLIENT_CERTIFICATE_REQUIRED, "unsupported_certificate"),
    44: (Cause.CERTIFICATE_REVOKED, "certificate_revoked"),
    45: (Cause.CERTIFICATE_EXPIRED, "certificate_expired"),
    46: (Cause.CLIENT_CERTIFICATE_REQUIRED, "certificate_unknown"),
    47: (Cause.TLS_ALERT, "illegal_parameter"),
    48: (Cause.CLIENT_CERTIFICATE_REQUIRED, "unknown_ca"),
    49: (Cause.TLS_ALERT, "access_denied"),
    50: (Cause.TLS_ALERT, "decode_error"),
    51: (Cause.TLS_ALERT, "decrypt_error"),
    70: (Cause.TLS_NO_SHARED_PROTOCOL, "protocol_version"),
    71: (Cause.TLS_NO_SHARED_CIPHER, "insufficient_security"),
    80: (Cause.TLS_ALERT, "internal_error"),
    86: (Cause.TLS_NO_SHARED_PROTOCOL, "inappropriate_fallback"),
    90: (Cause.TLS_ALERT, "user_canceled"),
    109: (Cause.TLS_ALERT, "missing_extension"),
    110: (Cause.TLS_ALERT, "unsupported_extension"),
    112: (Cause.TLS_ALERT, "unrecognized_name"),
    116: (Cause.CLIENT_CERTIFICATE_REQUIRED, "certificate_required"),
    120: (Cause.TLS_FAILED, "no_application_protocol"),
}
