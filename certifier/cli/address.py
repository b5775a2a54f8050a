"""Where a person says that a server is: ``host``, ``host:5432``, or an address as libpq takes it.

libpq's address is ``postgres://user:password@host:port/database?sslmode=verify-full`` (its manual,
34.1.1.2). A password in one is used, and never shown: an address that cannot be read is described,
not repeated.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("postgres", "postgresql")
PORTS = range(1, 65536)
_NO_HOST = re.compile(r"""[\s=@'"]""")


class NotAnAddress(ValueError):
    """The text is not an address; the message says what is wrong with it, without its password."""


@dataclass(frozen=True, repr=False)
class ServerAddress:
    """What an address says; ``None``: nothing. ``ssl_mode`` and ``ca_bundle`` are libpq's words."""

    host: str
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str | None = None
    ssl_mode: str | None = None
    ca_bundle: str | None = None

    def __repr__(self) -> str:
        return f"ServerAddress({self.host!r})"


def parse_address(text: str) -> ServerAddress:
    """Return what an address says.

    Raises:
        NotAnAddress: it cannot be read, or names more than one host.
    """
    if not text.strip():
        raise NotAnAddress("the host is empty: give HOST, HOST:PORT, or libpq's address")
    if "://" in text:
        return _of_url(text)
    if _NO_HOST.search(text):
        raise NotAnAddress(
            "a host name has no blank, quote, = or @, and what was given is not looked up, since it"
            " may hold a password: give HOST, HOST:PORT, or libpq's address (postgresql://…)"
        )
    if text.startswith("["):  # an IPv6 address with a port
        inner, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise NotAnAddress("an address in brackets must look like [::1] or [::1]:5432")
        return ServerAddress(inner, _port(rest[1:]) if rest else None)
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return ServerAddress(host, _port(port))
    return ServerAddress(text)


def _of_url(text: str) -> ServerAddress:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise NotAnAddress("the address cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise NotAnAddress("the address must begin with postgres:// or postgresql://")
    login, at, place = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "," in place or "," in options.get("host", ""):
        raise NotAnAddress("the address names several hosts; probe them one by one")
    dialled = parse_address(place) if place else ServerAddress(options.get("host", ""))
    if not dialled.host:
        raise NotAnAddress("the address names no host")
    port = dialled.port if dialled.port is not None else options.get("port")
    return ServerAddress(
        unquote(dialled.host),
        _port(str(port)) if port is not None else None,
        user=unquote(user) if at and user else options.get("user"),
        password=unquote(password) if colon else options.get("password"),
        database=unquote(parts.path.removeprefix("/")) or options.get("dbname"),
        ssl_mode=options.get("sslmode"),
        ca_bundle=options.get("sslrootcert"),
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:6]) not in PORTS:
        raise NotAnAddress("the port must be a number between 1 and 65535")
    return int(text)
