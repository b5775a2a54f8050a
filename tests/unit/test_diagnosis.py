"""The catalogue of causes, and the reading of what libpq, PostgreSQL, OpenSSL and DMS say."""

from __future__ import annotations

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.diagnosis import (
    CATALOGUE,
    CHAPTERS,
    explain,
    finding,
    from_alert,
    from_exception,
    from_sqlstate,
    from_verify_code,
)
from certifier.errors import InvalidSettings, Refused, Throttled
from certifier.text import printable
from certifier.vocabulary import Cause, Severity, Stage, Witness
from tests.days import some

LOOKS = [(row.cause, look) for row in CATALOGUE.values() for look in row.looks]
PLAIN = (  # libpq's own words alone, as DMS wraps them
    "could not translate host name",
    "timeout expired",
    "FATAL",
    "SSL error",
    "server certificate for",
    "root certificate file",
    "server does not support",
)
LIBPQ = [(cause, look) for cause, look in LOOKS if look.startswith(PLAIN)]
HBA = 'no pg_hba.conf entry for host "172.31.1.64", user "postgres", database "postgres"'
TEST = "Test Endpoint failed: Application-Status: 1020912, Application-Message: "
NETWORK = "Failed to connect Network error has occurred, Application-Detailed-Message: "


def test_every_cause_has_one_row_with_why_and_remedy() -> None:
    """No cause lacks a row, none has two, and each row says why and what to do."""
    rows = [row for chapter in CHAPTERS.values() for row in chapter]
    assert sorted(row.cause for row in rows) == sorted(Cause)
    for row in rows:
        assert row.why.endswith("."), row.cause
        assert row.remedy.endswith("."), row.cause


def test_severities_that_the_workflow_relies_on() -> None:
    """Records beside the endpoint warn, what needs no action advises, everything else stops."""
    for cause, row in CATALOGUE.items():
        if cause.value.startswith("acm_"):
            assert row.severity is Severity.WARNING
    assert CATALOGUE[Cause.MODE_COULD_BE_RAISED].severity is Severity.ADVICE
    assert CATALOGUE[Cause.UNKNOWN].severity is Severity.ERROR
    for cause in (Cause.OVERLAP_PENDING, Cause.SERVED_CERTIFICATE_DIFFERS):
        assert CATALOGUE[cause].may_clear_by_itself
        assert CATALOGUE[cause].severity is Severity.WARNING


@pytest.mark.parametrize(("cause", "look"), LOOKS)
def test_every_look_is_read_as_its_cause(cause: Cause, look: str) -> None:
    """The texts in the catalogue mean the cause that they stand beside."""
    read = explain(look)
    assert read.cause is cause
    assert read.remedy == CATALOGUE[cause].remedy_at(read.stage)
    assert read.raw == look


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            f"{TEST}Failed to connect  Network error has occurred, Application-Detailed-Message: "
            "RetCode: SQL_ERROR  SqlState: 08001 NativeError: 101 Message: [unixODBC]FATAL:  "
            f"{HBA}, no encryption\n\nAdditional info:\nCode: [DMS-00100], Message: [{HBA}, no "
            "encryption], NativeErrorCode: [28000]",
            Cause.HBA_REJECTED_PLAINTEXT,
        ),
        (
            f"{TEST}{NETWORK}RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: FATAL: "
            'no pg_hba.conf entry for host "10.0.1.135", user "postgres", database "dms_sample", '
            "no encryption",
            Cause.HBA_REJECTED_PLAINTEXT,
        ),
        (
            "Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to "
            "ODBC provider Network error has occurred, Application-Detailed-Message: RetCode: "
            "SQL_ERROR SqlState: 08001 NativeError: 101 Message: timeout expired",
            Cause.CONNECTION_TIMEOUT,
        ),
        (
            f"{TEST}{NETWORK}RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: "
            "[unixODBC]timeout expired",
            Cause.CONNECTION_TIMEOUT,
        ),
        (
            "RetCode: SQL_ERROR  SqlState: 08001 NativeError: 101 Message: [unixODBC]could not "
            'translate host name "db.x.example.co" to address: Name or service not known [1022502]',
            Cause.DNS_FAILED,
        ),
        (
            "Application-Detailed-Message: RetCode: SQL_ERROR  SqlState: 08001 NativeError: 101 "
            "Message: [unixODBC]FATAL:  (ENOTFOUND) tenant/user migrate.x not found",
            Cause.POOLER_REJECTED,
        ),
        (
            f"{TEST}Failed to build connection string Unable to find Secrets Manager secret, "
            "Application-Detailed-Message: Failed to retrieve secret. Unable to find AWS Secrets "
            "Manager secret Arn 'arn:aws:secretsmanager:eu-west-1:1:secret:rds!cluster-x' The "
            "secrets_manager get secret value failed: curlCode: 28, Timeout was reached Too many "
            "retries: curlCode: 28, Timeout was reached",
            Cause.DMS_CANNOT_READ_SECRET,
        ),
        (f"{TEST}Failed to connect to database.", Cause.UNKNOWN),
        (
            "Code: [DMS-00002], Message: [dial tcp 10.0.1.163:5432: i/o timeout]",
            Cause.CONNECTION_TIMEOUT,
        ),
        ("Incorrect thread connection string: Incorrect thread value 0", Cause.HOST_INVALID),
        (
            "Test connection failed for endpoint 'orders' and replication config 'orders-cdc'. "
            f"Failure Message: '{TEST}{NETWORK}RetCode: SQL_ERROR  SqlState: 08001 NativeError: "
            '101 Message: [unixODBC]FATAL:  password authentication failed for user "app"\'',
            Cause.PASSWORD_REJECTED,
        ),
        (
            'connection to server at "localhost" (::1), port 5432 failed: Connection refused\n\tIs '
            "the server running on that host and accepting TCP/IP connections?\nconnection to "
            'server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  database "nope" does '
            "not exist",
            Cause.DATABASE_MISSING,
        ),
    ],
)
def test_real_messages(text: str, cause: Cause) -> None:
    """The LastFailureMessage forms that are known from the field are read by their libpq tail."""
    assert explain(text).cause is cause


# What libpq 11 to 18 and PostgreSQL say at a login beyond the looks of the catalogue, and what
# other clients say in place of libpq.
SAID = {
    Cause.SOURCE_INVALID: (
        'missing "=" after "x" in connection info string',
        'end of string reached when looking for matching "]" in IPv6 host address in URI: "x"',
        'invalid URI query parameter: "x"',
        'forbidden value %00 in percent-encoded value: "x"',
        'definition of service "x" not found',
        'private key file "x" has group or world access; permissions should be u=rw (0600) or less',
        'private key file "x" must be owned by the current user or root',
        "GSSAPI encryption required but was impossible",
        "server did not request an SSL certificate",
        'FATAL:  unrecognized configuration parameter "x"',
        'FATAL:  invalid value for parameter "client_encoding": "x"',
    ),
    Cause.HOST_INVALID: (
        "could not set SSL Server Name Indication (SNI): ssl3 ext invalid servername",
        'Unix-domain socket path "x" is too long (maximum 107 bytes)',
        'invalid integer value "x" for connection option "port"',
    ),
    Cause.DNS_FAILED: (
        "The connection attempt failed. Caused by: java.net.UnknownHostException: db",
        "Error: getaddrinfo ENOTFOUND db.example.com",
    ),
    Cause.CONNECTION_REFUSED: (
        "could not receive data from server: Connection refused",
        "Connection to db:5432 refused. Check that the hostname and port are correct",
    ),
    Cause.HOST_UNREACHABLE: (
        "could not receive data from server: No route to host",
        "could not create socket: Address family not supported by protocol",
        "Error: connect EHOSTUNREACH 10.0.0.1:5432",
    ),
    Cause.CONNECTION_TIMEOUT: (
        "SqlState: 08S01 Message: could not receive data from server: Connection timed out",
        "Error: connect ETIMEDOUT 10.0.0.1:5432",
        "asyncio.exceptions.TimeoutError",
    ),
    Cause.CONNECTION_RESET: (
        "Error: read ECONNRESET",
        "ConnectionDoesNotExistError: connection was closed in the middle of operation",
        "ConnectionError: unexpected connection_lost() call",
    ),
    Cause.NOT_POSTGRESQL: (
        "received invalid response to GSSAPI negotiation: H",
        'unexpected response from server; first received character was "H"',
    ),
    Cause.UNKNOWN_AUTHORITY: (
        "SunCertPathBuilderException: unable to find valid certification path to requested target",
    ),
    Cause.SSL_OFF: (
        'PostgreSQL server at "db:5432" rejected SSL upgrade',
        "tls error (server refused TLS connection)",
    ),
    Cause.PROTOCOL_VIOLATION: (
        "received unencrypted data after GSSAPI encryption response",
        "duplicate GSS authentication request",
        "FATAL:  expected SASL response, got message type 88",
        "FATAL:  invalid password packet size",
        "FATAL:  incomplete startup packet",
    ),
    Cause.TLS_NO_SHARED_CIPHER: ("SSL error: Received fatal alert: handshake_failure",),
    Cause.TLS_NO_SHARED_PROTOCOL: ("SSL error: Received fatal alert: protocol_version",),
    Cause.CA_BUNDLE_MISSING: ("Could not open SSL root certificate file /root/root.crt.",),
    Cause.CA_BUNDLE_INVALID: (
        "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found (_ssl.c:4149)",
    ),
    Cause.CERTIFICATE_EXPIRED: ("java.security.cert.CertificateExpiredException: NotAfter: x",),
    Cause.HOSTNAME_MISMATCH: (
        "No subject alternative names matching IP address 10.0.0.1 found",
        "The hostname db could not be verified by hostnameverifier PgjdbcHostnameVerifier.",
    ),
    Cause.AUTHENTICATION_UNSUPPORTED: (
        "The authentication type 12 is not supported. Check that you have configured the"
        " pg_hba.conf file to include the client's IP address or subnet",
        "GSSAPI context error: x",
        "FATAL:  client selected an invalid SASL authentication mechanism",
    ),
    Cause.PASSWORD_MISSING: ("No password has been provided but the backend requires one",),
    Cause.PASSWORD_REJECTED: ("The password that was provided for the role u is wrong.",),
    Cause.UNSAFE_PASSWORD_REQUEST: (
        "FATAL:  SCRAM channel binding negotiation error",
        "FATAL:  unexpected SCRAM channel-binding attribute in client-final-message",
    ),
    Cause.ROLE_MISSING: ("FATAL:  role with OID 12 does not exist",),
    Cause.DATABASE_MISSING: (
        "FATAL:  database 12 does not exist",
        'FATAL:  database "d" has disappeared from pg_database',
    ),
    Cause.PERMISSION_DENIED: (
        'FATAL:  permission denied to set parameter "x"',
        "ERROR:  permission denied for database orders",
    ),
    Cause.SERVER_SHUTTING_DOWN: ("FATAL:  must be superuser to connect during database shutdown",),
    Cause.SERVER_STARTING: ("FATAL:  must be superuser to connect in binary upgrade mode",),
    Cause.DIFFERENT_NODE_ANSWERS: ('could not make a writable connection to server "db:5432"',),
    Cause.POOLER_REJECTED: (
        'FATAL:  database "d" is disabled',
        "FATAL:  odyssey: c12: route for 'd.u' is not found",
    ),
}


@pytest.mark.parametrize(
    ("cause", "text"), [(cause, text) for cause, texts in SAID.items() for text in texts]
)
def test_what_else_is_said(cause: Cause, text: str) -> None:
    """Alone, behind the address that libpq puts before it, and inside what DMS writes around it."""
    read = explain(text)
    assert read.cause is cause
    assert not {"[", "{"} & set(read.seen)
    assert explain(f'connection to server at "db" (10.0.0.9), port 5432 failed: {text}').cause is (
        cause
    )
    assert explain(f"{TEST}{NETWORK}Message: [unixODBC]{text}").cause is cause


def wrapped(tail: str) -> list[str]:
    """A libpq text in every wrapping that DMS is known to use."""
    native = "RetCode: SQL_ERROR  SqlState: 08001 NativeError: 101 Message: [unixODBC]"
    whole = f"{TEST}Failed to connect  {NETWORK}{native}{tail}"
    return [
        whole,
        f"{TEST}{NETWORK}RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: {tail}",
        f"{native}{tail} [1022502]",
        f"{TEST}{NETWORK}{native}{tail}\n\nAdditional info:\nCode: [DMS-00100], Message: "
        f"[{tail.removeprefix('FATAL:  ')}], NativeErrorCode: [28000]",
        f"Test connection failed for endpoint 'x' and replication config 'y'. "
        f"Failure Message: '{whole}'",
        f"connection failed: {tail}",
        f'connection to server at "db.test" (10.0.0.9), port 5432 failed: {tail}\n',
        f'{{"LastFailureMessage": "{whole}"}}'.replace(tail, tail.replace('"', '\\"')),
        whole.replace("  ", " ").replace('"', "&quot;"),
        whole.replace(": ", ":\n\t"),
        whole.upper().replace("FATAL:  ", "FATAL: "),
    ]


@pytest.mark.parametrize(("cause", "look"), some(LIBPQ))
def test_wrapping_does_not_change_the_cause(cause: Cause, look: str) -> None:
    """Prefixes, blanks, line ends, JSON, HTML, and the lines that follow change nothing."""
    for text in wrapped(look):
        assert explain(text).cause is cause, text


@pytest.mark.parametrize(("cause", "look"), LIBPQ)
def test_what_dms_adds_is_not_part_of_what_was_seen(cause: Cause, look: str) -> None:
    """Behind libpq's words DMS writes "Additional info", which says the same once more."""
    added = f"\n\nAdditional info:\nCode: [DMS-00100], Message: [{look}], NativeErrorCode: [08001]"
    read = explain(f"{TEST}{NETWORK}Message: [unixODBC]{look}{added}")
    assert read.seen == explain(f"{TEST}{NETWORK}Message: [unixODBC]{look}").seen
    assert "Additional info" in read.raw


@pytest.mark.parametrize(("cause", "look"), LIBPQ)
def test_status_and_state_of_odbc_are_not_believed(cause: Cause, look: str) -> None:
    """1020912, 08001 and "Network error" stand around every failure, and do not decide."""
    text = f"{TEST}{NETWORK}RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: {look}"
    assert explain(text).stage is explain(look).stage
    assert explain(text).cause is cause


def test_names_in_quotes_mean_nothing() -> None:
    """A role, host or database may be called like an error."""
    tricky = 'FATAL:  password authentication failed for user "timeout expired"'
    assert explain(tricky).cause is Cause.PASSWORD_REJECTED
    assert "timeout expired" in explain(tricky).seen
    host = 'could not translate host name "certificate verify failed" to address: Unknown host'
    assert explain(host).cause is Cause.DNS_FAILED
    endpoint = "Test connection failed for endpoint 'timeout expired' and replication config 'x'. "
    assert explain(f"{endpoint}Failure Message: '{host}'").cause is Cause.DNS_FAILED
    database = 'FATAL:  database "FATAL:  sorry, too many clients already" does not exist'
    assert explain(database).cause is Cause.DATABASE_MISSING


def test_names_are_shown() -> None:
    """What was seen holds the user, host, port and database of the text, and where it was."""
    text = f"[unixODBC]FATAL:  {HBA}, SSL encryption"
    assert explain(text).seen == 'pg_hba.conf has no line for "postgres" from 172.31.1.64'
    refused = 'connection to server at "db" (10.0.0.9), port 5433 failed: Connection refused'
    assert explain(refused).seen.startswith("db (10.0.0.9) port 5433 refuses")
    name = 'server certificate for "a.test" (and 2 other names) does not match host name "b.test"'
    assert explain(name).seen == 'the certificate is for "a.test" and 2 more, not for "b.test"'


def test_a_text_that_was_cut_off_is_still_read() -> None:
    """DMS may cut a message in the middle of a name."""
    assert explain(f"FATAL:  {HBA[:-6]}").cause is Cause.HBA_REJECTED
    assert explain('FATAL:  password authentication failed for user "po').cause is (
        Cause.PASSWORD_REJECTED
    )


def test_of_several_attempts_the_one_that_came_furthest_counts() -> None:
    """libpq tells of each address and of each of TLS and plain text."""
    both = (
        'connection to server at "db", port 5432 failed: FATAL:  no pg_hba.conf entry for host '
        '"10.0.0.9", user "app", database "d", SSL encryption\nconnection to server at "db", '
        'port 5432 failed: FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", '
        'database "d", no encryption\n'
    )
    assert explain(both).cause is Cause.HBA_REJECTED
    later = both.splitlines()[1] + "\nFATAL:  password authentication failed for user"
    assert explain(later).cause is Cause.PASSWORD_REJECTED


def test_a_sqlstate_helps_when_the_words_are_foreign() -> None:
    """A translated message is read by its SQLSTATE; the generic states of ODBC are passed over."""
    foreign = "FATAL:  a jelszavas hitelesítés sikertelen"  # there is no catalogue in Hungarian
    assert explain(f"SqlState: 08001 {foreign}").cause is Cause.UNKNOWN
    assert explain(f"SqlState: 08001 {foreign}").stage is Stage.STARTUP
    read = explain(f"{foreign}, NativeErrorCode: [28P01]")
    assert read.cause is Cause.PASSWORD_REJECTED
    assert from_sqlstate("28P01", foreign).cause is Cause.PASSWORD_REJECTED
    assert from_sqlstate("28000", f"{HBA}, no encryption").cause is Cause.HBA_REJECTED_PLAINTEXT
    assert from_sqlstate("XX000", foreign).cause is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("FATAL:  something new", Stage.STARTUP),
        ("the certificate is purple", Stage.TLS),
        ('connection to server at "db", port 5432 failed: something new', Stage.TCP),
        ("something new", None),
        ("", None),
    ],
)
def test_unknown_text_keeps_its_words_and_names_the_stage(text: str, stage: Stage | None) -> None:
    """What cannot be read is `unknown`, as it came, with the stage that it shows."""
    read = explain(text)
    assert (read.cause, read.stage) == (Cause.UNKNOWN, stage)
    assert read.seen == (" ".join(text.split()) or "no text at all")
    assert read.raw == text


# What a text means that holds several attempts, a name that says nothing, a reason behind a colon,
# or somebody else's words around the server's.
PREFIX = 'connection to server at "db" (10.0.0.9), port 5432 failed: '
PLAINTEXT = f"FATAL:  {HBA}, no encryption"
KINDS: list[tuple[Cause, str]] = [
    # a refusal of plain text after a TLS failure never explains it
    (
        Cause.CERTIFICATE_REJECTED,
        f"{PREFIX}SSL error: certificate verify failed\n{PREFIX}{PLAINTEXT}",
    ),
    (Cause.CERTIFICATE_REJECTED, f"SSL error: certificate verify failed\nFATAL:  {HBA}, SSL off"),
    (Cause.CERTIFICATE_REJECTED, f"{PLAINTEXT}\nSSL error: certificate verify failed"),
    (Cause.CERTIFICATE_REJECTED, f"SSL error: certificate verify failed\nFATAL:  {HBA[:-20]}"),
    (
        Cause.CERTIFICATE_REJECTED,
        "SSL error: certificate verify failed\nFATAL:  kein pg_hba.conf-Eintrag für Host "
        "»10.0.0.9«, Benutzer »app«, Datenbank »orders«, keine Verschlüsselung",
    ),
    (
        Cause.HOSTNAME_MISMATCH,
        f'{PREFIX}server certificate for "a.test" does not match host name "db"\n{PREFIX}'
        f"{PLAINTEXT}",
    ),
    (
        Cause.TLS_NO_SHARED_PROTOCOL,
        "SSL error: tlsv1 alert protocol version\nFATAL:  SSL connection is required. Please "
        "specify SSL options and retry.",
    ),
    (
        Cause.CA_BUNDLE_MISSING,
        f'root certificate file "/root/.postgresql/root.crt" does not exist\nEither provide the '
        f"file or change sslmode to disable server certificate verification.\n{PLAINTEXT}",
    ),
    (Cause.CONNECTION_RESET, f"SSL SYSCALL error: EOF detected\n{PLAINTEXT}"),
    (
        Cause.CERTIFICATE_REJECTED,
        'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused\n'
        f"{PREFIX}SSL error: certificate verify failed\n{PREFIX}{PLAINTEXT}",
    ),
    (
        Cause.CERTIFICATE_REJECTED,
        f"{PREFIX}SSL error: certificate verify failed\n"
        'connection to server at "db" (10.0.0.8), port 5432 failed: server certificate for "a" does'
        ' not match host name "db"',
    ),
    (Cause.HBA_REJECTED, f"{PREFIX}{PLAINTEXT}\n{PREFIX}FATAL:  {HBA}, SSL encryption"),
    (
        Cause.PASSWORD_REJECTED,
        f"{PREFIX}SSL error: certificate verify failed\n{PREFIX}FATAL:  password authentication "
        'failed for user "app"',
    ),
    (Cause.HBA_REJECTED_PLAINTEXT, f"{PREFIX}Connection refused\n{PREFIX}{PLAINTEXT}"),
    # a file's name is not a message
    (Cause.SSL_OFF, "LOG:  hostssl record cannot match because SSL is disabled"),
    (Cause.SSL_OFF, "LOG:  hostssl requires SSL to be turned on"),
    (
        Cause.SSL_OFF,
        "LOG:  hostssl record cannot match because SSL is disabled\nHINT:  Set ssl = on in "
        'postgresql.conf.\nCONTEXT:  line 91 of configuration file "/data/pg_hba.conf"',
    ),
    (Cause.SSL_OFF, "LOG:  hostssl record cannot match because SSL is not supported by this build"),
    (
        Cause.HBA_FILE_UNREADABLE,
        'FATAL:  could not open file "/var/lib/pgsql/data/pg_hba.conf": Permission denied',
    ),
    (Cause.HBA_FILE_UNREADABLE, "FATAL:  could not load pg_hba.conf"),
    (Cause.HBA_FILE_UNREADABLE, 'could not open configuration file "pg_hba.conf": No such file'),
    (Cause.HBA_FILE_INVALID, "LOG:  pg_hba.conf was not reloaded"),
    (
        Cause.HBA_FILE_INVALID,
        'LOG:  invalid authentication method "scram-sha256"\nCONTEXT:  line 4 of configuration '
        'file "/data/pg_hba.conf"',
    ),
    (
        Cause.HBA_FILE_INVALID,
        'LOG:  invalid IP address "10.0.0.300": Name or service not known\nCONTEXT:  line 96 of '
        'configuration file "/data/pg_hba.conf"',
    ),
    (Cause.HBA_FILE_INVALID, 'LOG:  invalid connection type "hostsll"'),
    (Cause.HBA_FILE_INVALID, 'clientcert can only be configured for "hostssl" rows'),
    (Cause.HBA_REJECTED, f"client authentication failed DETAIL: {HBA.replace('pg_', 'pool_')}"),
    (Cause.UNKNOWN, "see the chapter on pg_hba.conf"),
    # the reason after the colon
    (Cause.KEY_MISMATCH, 'could not load private key file "server.key": key values mismatch'),
    (Cause.KEY_MISMATCH, "check of private key failed: key values mismatch"),
    (Cause.KEY_MISMATCH, 'could not load private key file "k": x509 key type mismatch'),
    (Cause.KEY_ENCRYPTED, 'could not load private key file "server.key": bad decrypt'),
    (
        Cause.KEY_ENCRYPTED,
        'private key file "server.key" cannot be reloaded because it requires a passphrase',
    ),
    (Cause.PEM_DAMAGED, 'could not load server certificate file "server.crt": bad end line'),
    (Cause.NOT_PEM, 'could not load server certificate file "server.crt": no start line'),
    (Cause.CERTIFICATE_WEAK, 'could not load server certificate file "s.crt": ee key too small'),
    (Cause.SSL_OFF, 'could not load server certificate file "s.crt": No such file or directory'),
    (Cause.SSL_OFF, 'could not access private key file "server.key": Permission denied'),
    (Cause.SSL_OFF, 'FATAL:  private key file "server.key" has group or world access'),
    (Cause.SSL_OFF, "SSL certificate and key parameters must be set to load SSL"),
    # a pooler's words wrap the server's
    (
        Cause.PASSWORD_REJECTED,
        "FATAL:  server login has been failing, cached error: FATAL: password authentication "
        'failed for user "app" (server_login_retry)',
    ),
    (Cause.PASSWORD_REJECTED, "ERROR:  server login failed: FATAL password authentication failed"),
    (
        Cause.DATABASE_MISSING,
        'server login has been failing, cached error: database "orders" does not exist '
        "(server_login_retry)",
    ),
    (
        Cause.HBA_REJECTED_PLAINTEXT,
        f"server login has been failing, cached error: {HBA}, no encryption (server_login_retry)",
    ),
    (
        Cause.CERTIFICATE_REJECTED,
        "server login has been failing, cached error: TLS handshake failed: certificate verify "
        "failed (server_login_retry)",
    ),
    (
        Cause.CONNECTION_REFUSED,
        "FATAL:  server login has been failing, cached error: connect failed (server_login_retry)",
    ),
    (Cause.CONNECTION_REFUSED, "ERROR:  pgbouncer cannot connect to server"),
    (
        Cause.CONNECTION_REFUSED,
        "FATAL:  pgpool is not accepting any more new connections DETAIL:  all backend nodes are "
        "down, pgpool requires at least one valid node",
    ),
    (Cause.DNS_FAILED, "server login has been failing, cached error: server DNS lookup failed"),
    (
        Cause.POOLER_REJECTED,
        "server login has been failing, try again later (server_login_retry)",
    ),
    (
        Cause.SNI_MISSING,
        "ERROR:  Endpoint ID is not specified. Either please upgrade the postgres client library "
        "(libpq) for SNI support or pass the endpoint ID (first part of the domain name) as a "
        "parameter: '?options=endpoint%3D<endpoint-id>'.",
    ),
    (Cause.TOO_MANY_CONNECTIONS, "FATAL:  (EMAXCONNSESSION) max clients reached in session mode"),
    (Cause.TOO_MANY_CONNECTIONS, "FATAL:  MaxClientsInSessionMode: max clients reached"),
    (Cause.TOO_MANY_CONNECTIONS, "Timed-out waiting to acquire database connection"),
    (Cause.TOO_MANY_CONNECTIONS, "FATAL:  query_wait_timeout"),
    (Cause.SERVER_STARTING, "The Aurora DB instance db-X is resuming after being auto-paused"),
    # letters that a wrong encoding has spoiled
    (
        Cause.PASSWORD_REJECTED,
        "FATAL:  Passwort-Authentifizierung f\ufffdr Benutzer \ufffdapp\ufffd fehlgeschlagen",
    ),
    (Cause.DATABASE_MISSING, "la base de donn\ufffdes \ufffd app \ufffd n'existe pas"),
    # RDS
    (Cause.ROLE_NEEDS_IAM, 'FATAL:  PAM authentication failed for user "app"'),
    (Cause.ROLE_NEEDS_IAM, "FATAL:  PAM-Authentifizierung für Benutzer »app« fehlgeschlagen"),
    (Cause.ROLE_NEEDS_IAM, "LOG:  pam_authenticate failed: Permission denied"),
    # whose certificate it is
    (
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        "LOG:  could not accept SSL connection: certificate verify failed",
    ),
    (
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        "LOG:  could not accept SSL connection: certificate verify failed DETAIL:  Client "
        "certificate verification failed at depth 0: unable to get local issuer certificate.",
    ),
    (Cause.UNKNOWN_AUTHORITY, "LOG:  could not accept SSL connection: tlsv1 alert unknown ca"),
    (
        Cause.CERTIFICATE_REJECTED,
        "LOG:  could not accept SSL connection: sslv3 alert bad certificate",
    ),
    (Cause.CLIENT_CERTIFICATE_REQUIRED, "remote error: tls: bad certificate"),
    (
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        "javax.net.ssl: Received fatal alert: certificate_required",
    ),
    (Cause.TLS_NO_SHARED_CIPHER, "LOG:  could not accept SSL connection: no shared cipher"),
    # DMS and ACM
    (
        Cause.ACM_CHAIN_REJECTED,
        "An error occurred (ValidationException) when calling the ImportCertificate operation: "
        "Could not validate the certificate with the certificate chain.",
    ),
    (
        Cause.ACM_CHAIN_REJECTED,
        "Provided certificate is not a valid self signed. Please provide either a valid self-signed"
        " certificate or certificate chain.",
    ),
    (
        Cause.PASSWORD_MISSING,
        "An error occurred (InvalidParameterCombinationException) when calling the CreateEndpoint "
        "operation: The parameter Password must be provided and must not be blank",
    ),
    (Cause.SOURCE_INVALID, "The parameter ServerName must be provided and must not be blank"),
    (Cause.CA_BUNDLE_MISSING, "The parameter CertificateArn must be provided"),
    (
        Cause.SLOT_ACTIVE,
        "RetCode: SQL_ERROR SqlState: 55006 NativeError: 1 Message: ERROR: replication slot "
        '"abc_1" is active for PID 2345',
    ),
    (
        Cause.TASK_COULD_NOT_RESTART,
        "Test connection failed for endpoint 'orders' and replication config 'orders-cdc'.",
    ),
    (
        Cause.CERTIFICATE_REJECTED,
        "Test connection failed for endpoint 'a' and replication config 'b'. Failure Message: "
        f"'{TEST}{NETWORK}Message: [unixODBC]SSL error: certificate verify failed'",
    ),
    (Cause.TASK_FAILED, '{"detail": {"eventType": "REPLICATION_TASK_FAILED"}}'),
    (
        Cause.HBA_REJECTED_PLAINTEXT,
        f'{{"eventType": "REPLICATION_TASK_FAILED", "detailMessage": "Last Error {HBA}, SSL off'
        ' Stop Reason FATAL_ERROR Error Level FATAL"}',
    ),
    (Cause.TEST_NEVER_ENDED, "InvalidResourceStateFault: Connection is already being tested."),
    (Cause.DMS_QUOTA, "ResourceQuotaExceededFault: The quota for Certificates exceeded"),
    (Cause.AWS_DENIED, "ExpiredToken: The security token included in the request is expired"),
    (
        Cause.AWS_UNAVAILABLE,
        'Could not connect to the endpoint URL: "https://dms.x.amazonaws.com/"',
    ),
]


@pytest.mark.shows(Cause.TASK_FAILED)
@pytest.mark.parametrize(("cause", "text"), KINDS)
def test_each_kind_of_text_is_read_for_what_it_says(cause: Cause, text: str) -> None:
    """Several attempts, a name, a reason behind a colon, words around words."""
    assert explain(text).cause is cause
    assert not {"[", "{"} & set(explain(text).seen)


def test_the_first_attempt_says_where() -> None:
    """The place belongs to the attempt that is the reason."""
    text = (
        'connection to server at "a.test" (10.0.0.1), port 5432 failed: SSL error: wrong version '
        f'number\nconnection to server at "b.test" (10.0.0.2), port 5433 failed: {PLAINTEXT}'
    )
    assert "a.test (10.0.0.1) port 5432" in explain(text).seen


# Each row: without TLS, with TLS, a wrong password, no database, no role, no slot, starting up.
LANGUAGES = {
    "de": (
        "kein pg_hba.conf-Eintrag für Host »10.0.0.9«, Benutzer »app«, Datenbank »d«, keine"
        " Verschlüsselung",
        "kein pg_hba.conf-Eintrag für Host »10.0.0.9«, Benutzer »app«, Datenbank »d«,"
        " SSL-Verschlüsselung",
        "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen",
        "Datenbank »d« existiert nicht",
        "Rolle »app« existiert nicht",
        "tut mir leid, schon zu viele Verbindungen",
        "das Datenbanksystem startet",
    ),
    "es": (
        "no hay una línea en pg_hba.conf para «10.0.0.9», usuario «app», base de datos «d»,"
        " sin cifrado",
        "no hay una línea en pg_hba.conf para «10.0.0.9», usuario «app», base de datos «d»,"
        " cifrado SSL",
        "la autentificación password falló para el usuario «app»",
        "no existe la base de datos «d»",
        "no existe el rol «app»",
        "lo siento, ya tenemos demasiados clientes",
        "el sistema de base de datos está iniciándose",
    ),
    "fr": (
        "aucune entrée dans pg_hba.conf pour l'hôte « 10.0.0.9 », utilisateur « app »,\nbase de"
        " données « d », aucun chiffrement",
        "aucune entrée dans pg_hba.conf pour l'hôte « 10.0.0.9 », utilisateur « app », base de"
        " données « d », SSL actif",
        "authentification par mot de passe échouée pour l'utilisateur  « app »",
        "la base de données « d » n'existe pas",
        "le rôle « app » n'existe pas",
        "désolé, trop de clients sont déjà connectés",
        "le système de bases de données se lance",
    ),
    "it": (
        'nessuna voce in pg_hba.conf per l\'host "10.0.0.9", utente "app", database "d",'
        " nessuna crittografia",
        'nessuna voce in pg_hba.conf per l\'host "10.0.0.9", utente "app", database "d",'
        " Crittografia SSL",
        'autenticazione con password fallita per l\'utente "app"',
        'il database "d" non esiste',
        'il ruolo "app" non esiste',
        "spiacente, troppi client già connessi",
        "il database si sta avviando",
    ),
    "ja": (
        'pg_hba.conf にホスト"10.0.0.9"、ユーザー"app"、データベース"d", '
        "暗号化なし用のエントリがありません",
        'pg_hba.conf にホスト"10.0.0.9"、ユーザー"app"、データベース"d", '
        "SSL暗号化用のエントリがありません",
        'ユーザー"app"のパスワード認証に失敗しました',
        'データベース"d"は存在しません',
        'ロール"app"は存在しません',
        "現在クライアント数が多すぎます",
        "データベースシステムは起動処理中です",
    ),
    "ko": (
        '호스트 "10.0.0.9", 사용자 "app", 데이터베이스 "d", 암호화 안함 연결에 대한'
        " 설정이 pg_hba.conf 파일에 없습니다.",
        '호스트 "10.0.0.9", 사용자 "app", 데이터베이스 "d", SSL 암호화 연결에 대한'
        " 설정이 pg_hba.conf 파일에 없습니다.",
        '사용자 "app"의 password 인증을 실패했습니다',
        '"d" 데이터베이스 없음',
        '"app" 롤(role) 없음',
        "최대 동시 접속자 수를 초과했습니다.",
        "데이터베이스 시스템이 새로 가동 중입니다.",
    ),
    "pt": (
        'nenhuma entrada no pg_hba.conf para máquina "10.0.0.9", usuário "app", banco de dados "d",'
        " SSL desabilitado",
        'nenhuma entrada no pg_hba.conf para máquina "10.0.0.9", usuário "app", banco de dados "d",'
        " SSL habilitado",
        'autenticação do tipo senha falhou para usuário "app"',
        'banco de dados "d" não existe',
        'role "app" não existe',
        "desculpe, muitos clientes conectados",
        "o sistema de banco de dados está iniciando",
    ),
    "ru": (
        'в pg_hba.conf нет записи для компьютера "10.0.0.9", пользователя "app", базы "d", без'
        " шифрования",
        'в pg_hba.conf нет записи для компьютера "10.0.0.9", пользователя "app", базы "d",'
        " SSL вкл.",
        'пользователь "app" не прошёл проверку подлинности (по паролю)',
        'база данных "d" не существует',
        'роль "app" не существует',
        "извините, уже слишком много клиентов",
        "система баз данных запускается",
    ),
    "zh": (
        '没有用于主机 "10.0.0.9", 用户 "app", 数据库 "d", SSL 关闭 的 pg_hba.conf 记录',
        '没有用于主机 "10.0.0.9", 用户 "app", 数据库 "d", SSL 开启 的 pg_hba.conf 记录',
        '用户 "app" Password 认证失败',
        '数据库 "d" 不存在',
        '角色 "app" 不存在',
        "对不起, 已经有太多的客户",
        "数据库系统启动中",
    ),
}
MEANT = (
    Cause.HBA_REJECTED_PLAINTEXT,
    Cause.HBA_REJECTED,
    Cause.PASSWORD_REJECTED,
    Cause.DATABASE_MISSING,
    Cause.ROLE_MISSING,
    Cause.TOO_MANY_CONNECTIONS,
    Cause.SERVER_STARTING,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_may_speak_another_language(language: str) -> None:
    """What refuses a login is read in the languages of PostgreSQL, alone and inside of DMS's."""
    for cause, text in zip(MEANT, LANGUAGES[language], strict=True):
        for around in ("", "FATAL:  ", PREFIX, f"{TEST}{NETWORK}Message: [unixODBC]FATAL:  "):
            read = explain(f"{around}{text}")
            assert read.cause is cause, (around, text, read)
            assert not {"[", "{", "»"} & set(read.seen)
    for text in LANGUAGES[language][2:5]:
        assert '"app"' in explain(text).seen or '"d"' in explain(text).seen


def test_both_remedies_are_said_when_the_text_leaves_it_open() -> None:
    """A refusal that does not say whether there was TLS has both remedies, each with its case."""
    tls, plain = (
        CATALOGUE[cause].remedy for cause in (Cause.HBA_REJECTED, Cause.HBA_REJECTED_PLAINTEXT)
    )
    for text in (
        f"FATAL:  {HBA}",
        'FATAL:  a pg_hba.conf nem tartalmaz "10.0.0.9" géphez, "app" felhasználóhoz bejegyzést',
        "FATAL:  valami, NativeErrorCode: [28000]",
    ):
        read = explain(text)
        assert read.cause is Cause.HBA_REJECTED
        assert tls in read.remedy
        assert plain in read.remedy
        assert read.at(Witness.DMS_TEST).remedy == read.remedy
    assert plain not in explain(f"FATAL:  {HBA}, SSL encryption").remedy


@pytest.mark.parametrize(
    "text",
    [
        "valami, NativeErrorCode: [28P01]",
        "valami (SQLSTATE 28P01)",
        "ERROR: valami (SQLSTATE=28P01)",
        "FATAL: 28P01: valami",
        "Npgsql.PostgresException (0x80004005): 28P01: valami",
        "error: valami { code: '28P01', severity: 'FATAL' }",
        'db error: FATAL: valami { "code": "28P01" }',
        "PostgresError { code: SqlState(E28P01) }",
        "SQL Error: 0, SQLState: 28P01",
        "SQL state: 28P01",
        "SqlState: 08001 NativeError: 101 Message: valami, NativeErrorCode: [28P01]",
        "psycopg.errors: valami, pgcode=28P01",
    ],
)
def test_a_sqlstate_is_found_in_every_clients_spelling(text: str) -> None:
    """ODBC, JDBC, Go, .NET, Node, Rust and Python each write it another way."""
    assert explain(text).cause is Cause.PASSWORD_REJECTED


def test_unknown_dms_text_loses_only_its_wrapping() -> None:
    """The generic part of a DMS message is not what was seen; the raw text stays whole."""
    text = f"{TEST}{NETWORK}RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: new"
    assert explain(text).seen == "new"
    assert explain(text).raw == text


def test_causes_are_explained_by_name() -> None:
    """The text of our own refusal is a cause, and is read as that."""
    for cause in Cause:
        assert explain(cause.value).cause is cause
    assert explain("hostname_mismatch: the certificate ...").cause is Cause.HOSTNAME_MISMATCH


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Refused(Cause.WOULD_WEAKEN), Cause.WOULD_WEAKEN),
        (Throttled("slow down"), Cause.AWS_UNAVAILABLE),
        (InvalidSettings("TABLE is missing"), Cause.UNEXPECTED),
        (ConnectionRefusedError(111, "Connection refused"), Cause.CONNECTION_REFUSED),
        (ConnectionResetError(104, "Connection reset by peer"), Cause.CONNECTION_RESET),
        (OSError(113, "No route to host"), Cause.HOST_UNREACHABLE),
        (OSError(101, "Network is unreachable"), Cause.HOST_UNREACHABLE),
        (TimeoutError(), Cause.CONNECTION_TIMEOUT),
        (TimeoutError("timed out"), Cause.CONNECTION_TIMEOUT),
        (socket.gaierror(-2, "Name or service not known"), Cause.DNS_FAILED),
        (socket.gaierror(-3, "Temporary failure in name resolution"), Cause.DNS_FAILED),
        (socket.gaierror(-4, "Non-recoverable failure in name resolution"), Cause.DNS_FAILED),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Cause.TLS_FAILED),
        (
            ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version"),
            Cause.TLS_NO_SHARED_PROTOCOL,
        ),
        (
            ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure"),
            Cause.TLS_NO_SHARED_CIPHER,
        ),
        (
            ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation"),
            Cause.CONNECTION_RESET,
        ),
        (KeyError("hunter2"), Cause.UNEXPECTED),
    ],
)
def test_exceptions_are_read(error: BaseException, cause: Cause) -> None:
    """Ours, a socket's and OpenSSL's; anything else is a bug, named by its type alone."""
    read = from_exception(error)
    assert read.cause is cause
    assert "hunter2" not in read.model_dump_json()


def test_verification_codes_and_alerts_that_are_new_have_a_home() -> None:
    """An unexpected number is still `certificate_rejected` or `tls_alert`."""
    assert from_verify_code(10).cause is Cause.CERTIFICATE_EXPIRED
    assert from_verify_code(4711, "of a kind").cause is Cause.CERTIFICATE_REJECTED
    assert "of a kind" in from_verify_code(4711, "of a kind").seen
    assert from_alert(70).cause is Cause.TLS_NO_SHARED_PROTOCOL
    assert from_alert(250).cause is Cause.TLS_ALERT


def test_a_finding_has_the_remedy_and_severity_of_the_catalogue() -> None:
    """Unless the finder knows better, and with nothing in it that moves a terminal."""
    found = finding(Cause.ACM_FAILED, place=Witness.WORKFLOW, seen="a\x1b[31m", raw="\u202ex")
    assert (found.severity, found.remedy) == (
        Severity.WARNING,
        CATALOGUE[Cause.ACM_FAILED].remedy,
    )
    assert (found.seen, found.raw) == ("a\\x1b[31m", "\\u202ex")
    harder = finding(Cause.ACM_FAILED, place=Witness.PLAN, seen="", severity=Severity.ERROR)
    assert harder.severity is Severity.ERROR
    read = explain("timeout expired").at(Witness.DMS_TEST)
    assert (read.cause, read.place, read.stage) == (
        Cause.CONNECTION_TIMEOUT,
        Witness.DMS_TEST,
        Stage.TCP,
    )


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f'invalid port number: "postgresql://u:{SECRET}@db:x/d"',
        f"postgresql://u:{SECRET}/more@{SECRET}@db/d does not work",
        f'missing "=" after "x" in connection info string: user=u password={SECRET} host=db',
        f"PGPASSWORD='{SECRET} and {SECRET}' psql: FATAL:  new",
        f"Driver={{PostgreSQL}};UID=u;PWD={{{SECRET};}};Server=db",
        f'{{"username": "u", "password": "{SECRET} x", "host": "db"}}',
        f'{{\\"password\\": \\"{SECRET} x\\"}}',
        f"sslpassword = {SECRET}",
        f"password='it\\'s {SECRET}' host=db",
        f"password=my\\ {SECRET} host=db",
        f'"password": "my\\"{SECRET}", "host": "db"',
        f'password="{SECRET} cut',
    ],
)
def test_a_password_in_a_text_is_not_repeated(text: str) -> None:
    """A client that cannot read its connection string prints it; we do not print it again."""
    for read in (explain(text), from_sqlstate("XX000", text), from_sqlstate("28P01", text)):
        assert SECRET not in read.model_dump_json()
    assert "***" in explain(text).raw


@given(st.text(max_size=2000))
def test_printable_is_printable_and_short(text: str) -> None:
    """No character can move a terminal, and the limit holds."""
    shown = printable(text, 100)
    assert shown.isprintable()
    assert len(shown) <= 100
    if text.isprintable() and len(text) <= 100:
        assert shown == text


@given(
    st.text(max_size=500) | st.sampled_from([look for _cause, look in LOOKS]).map("\0{}\0".format)
)
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever a server says, explain answers, with printable words."""
    read = explain(text)
    assert read.seen.isprintable()
    assert read.raw.isprintable()
    assert read.remedy


def test_a_megabyte_of_text_takes_no_time() -> None:
    """Only the head is read; no pattern runs away on repeated blanks or quotes."""
    pieces = ('"', " ", 'user "a", ', "FATAL:  ", "certificate ", "cannot ", "a" * 99 + " ", "\\")
    for piece in some(pieces):
        assert explain(piece * (1_000_000 // len(piece))).cause is Cause.UNKNOWN
