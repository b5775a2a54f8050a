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
    assert read.remedy == CATALOGUE[cause].remedy
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
    Cause.PERMISSION_DENIED: ('FATAL:  permission denied to set parameter "x"',),
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


@pytest.mark.parametrize(("cause", "look"), LIBPQ)
def test_wrapping_does_not_change_the_cause(cause: Cause, look: str) -> None:
    """Prefixes, blanks, line ends, JSON, HTML, and the lines that follow change nothing."""
    for text in wrapped(look):
        assert explain(text).cause is cause, text


@pytest.mark.parametrize(("cause", "look"), LIBPQ)
def test_what_dms_adds_is_not_part_of_what_was_seen(cause: Cause, look: str) -> None:
    """Behind libpq's words DMS writes "Additional info", which says the same once more."""
    added = f"\n\nAdditional info:\nCode: [DMS-00100], Message: [{look}], NativeErrorCode: [08001]"
    told = explain(f"{TEST}{NETWORK}Message: [unixODBC]{look}{added}")
    assert told.seen == explain(f"{TEST}{NETWORK}Message: [unixODBC]{look}").seen
    assert "Additional info" in told.raw


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
    foreign = "FATAL:  Passwort-Authentifizierung fehlgeschlagen"
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
    for piece in pieces:
        assert explain(piece * (1_000_000 // len(piece))).cause is Cause.UNKNOWN
