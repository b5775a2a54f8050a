"""A connection test as DMS makes it: real libpq, in the endpoint's ssl_mode, with DMS's own files.

Nothing of the machine that runs the sandbox leaks in: no pgpass, no client certificate, no root
certificate of the user, no name resolution but the one given.
"""

import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.dms.switches import FailureStyle

BLACKHOLE = "blackhole"
"""In `resolve`: packets to this host vanish, and the test ends with "timeout expired"."""

_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
_LIBPQ_MODES = {"none": "disable"}
_SECONDS = 5
_SQLSTATES = (
    ("password authentication failed", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ('FATAL:  database "', "3D000"),
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What DMS connects to: the endpoint's own settings, with its secret and certificate read."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None
    ssl_mode: str
    bundle: str | None
    """PEM text of the endpoint's DMS certificate, when libpq is to get one."""
    self_signed_trusted: bool = True


def address_of(host: str, resolve: Mapping[str, str] | None) -> str | None:
    """The address of a host as DMS resolves it; None when it does not resolve.

    Without a map the machine's resolver answers. With one, only its names and IP literals exist.
    """
    if resolve is not None and host in resolve:
        return resolve[host]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if resolve is not None:
        return None
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return None


def connect(target: Target, resolve: Mapping[str, str] | None) -> str | None:
    """Connect once and hang up. None when it worked, else libpq's own words.

    Takes at most about five seconds for the connection.
    """
    address = address_of(target.host, resolve)
    if address is None:
        return (
            f'could not translate host name "{target.host}" to address: Name or service not known'
        )
    if not target.self_signed_trusted and _anchored_in_itself(target, address):
        return "SSL error: certificate verify failed"
    with tempfile.TemporaryDirectory(prefix="dms-") as folder:
        root = Path(folder) / "root.crt"
        if target.bundle is not None:
            root.write_text(target.bundle, encoding="utf-8")
        try:
            psycopg.connect(
                host=target.host,
                hostaddr=address,
                port=target.port,
                user=target.user,
                password=target.password,
                dbname=target.database or "",
                sslmode=_LIBPQ_MODES.get(target.ssl_mode, target.ssl_mode),
                sslrootcert=str(root),
                sslcert=f"{folder}/none.crt",
                sslkey=f"{folder}/none.key",
                sslcrl=f"{folder}/none.crl",
                passfile=f"{folder}/none",
                gssencmode="disable",
                connect_timeout=_SECONDS,
                application_name="dms",
            ).close()
        except psycopg.Error as error:
            return _libpq_words(str(error))
    return None


def failure_message(words: str, *, style: FailureStyle, server_prefix: bool) -> str:
    """`LastFailureMessage` around libpq's words, in one of the forms of section 4.1."""
    if not server_prefix:
        words = _without_server_prefix(words)
    match style:
        case FailureStyle.UNIXODBC:
            plain = words.removeprefix("FATAL:").strip()
            state = next((state for text, state in _SQLSTATES if text in words), "08001")
            return (
                "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to "
                "connect  Network error has occurred, Application-Detailed-Message: RetCode: "
                f"SQL_ERROR  SqlState: 08001 NativeError: 101 Message: [unixODBC]{words}\n\n"
                f"Additional info:\nCode: [DMS-00100], Message: [{plain}], "
                f"NativeErrorCode: [{state}]"
            )
        case FailureStyle.PLAIN:
            return (
                "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to "
                "connect Network error has occurred, Application-Detailed-Message: RetCode: "
                f"SQL_ERROR SqlState: 08001 NativeError: 101 Message: {words}"
            )
        case FailureStyle.PROVIDER:
            return (
                "Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect "
                "to ODBC provider Network error has occurred, Application-Detailed-Message: "
                f"RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: {words}"
            )


def secret_message(arn: str, reason: str) -> str:
    """`LastFailureMessage` when the endpoint's secret could not be used (section 4.1)."""
    return (
        "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to build "
        "connection string Unable to find Secrets Manager secret, Application-Detailed-Message: "
        f"Failed to retrieve secret. Unable to find AWS Secrets Manager secret Arn '{arn}' "
        f"The secrets_manager get secret value failed: {reason}"
    )


def _libpq_words(text: str) -> str:
    """libpq's message without what psycopg puts around it."""
    text = text.removeprefix("connection failed: ").strip()
    return "timeout expired" if text == "connection timeout expired" else text


def _without_server_prefix(words: str) -> str:
    if words.startswith("connection to server at ") and " failed: " in words:
        tail = words.split(" failed: ", 1)[1]
        # libpq names the server of a refused connection in every form that was seen
        return words if tail.startswith("Connection refused") else tail
    return words


def _anchored_in_itself(target: Target, address: str) -> bool:
    """Whether the server shows a self-signed certificate that the endpoint trusts as its own CA."""
    if target.bundle is None or not target.ssl_mode.startswith("verify-"):
        return False
    served = _served_leaf(address, target.port)
    return any(
        anchor.public_bytes(Encoding.DER) == served and anchor.issuer == anchor.subject
        for anchor in x509.load_pem_x509_certificates(target.bundle.encode())
    )


def _served_leaf(address: str, port: int) -> bytes | None:
    """DER of the certificate that the server shows, unverified; None when it shows none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((address, port), timeout=_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain) as wrapped:
                return wrapped.getpeercert(binary_form=True)
    except OSError:
        return None
