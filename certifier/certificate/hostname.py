"""Whether a certificate names a host, by libpq's rules, byte for byte.

Python, OpenSSL and browsers follow RFC 6125; libpq has rules of its own, and DMS connects through
libpq. They are written down here from the behaviour of libpq 18
(``pgtls_verify_peer_name_matches_certificate_guts`` and its neighbours), which libpq 15, 16 and 17
share:

- Names are bytes, compared without regard to ASCII case and to nothing else: no IDNA, no trailing
  dot.
- Every DNS name and IP address of the subjectAltName is tried in the order of the certificate. A
  DNS name is compared as text, also when the host is an address.
- The first common name counts only if the subjectAltName has no name of the host's own kind
  (address or DNS name).
- ``*.`` stands for one leading label. A NUL inside a name, or an address that is neither 4 nor 16
  bytes long, ends the comparison: no later name is looked at.
- What is an address is decided by ``inet_aton`` and ``inet_pton``: ``127.1`` is one, ``[::1]`` is
  not.

libpq 14 and older know no IP addresses; :func:`match` says what they would have said.

Not checked here: who signed the certificate, and whether it is valid today.
"""

import socket
from dataclasses import dataclass
from enum import StrEnum

_COMMON_NAME = (0x06, bytes.fromhex("550403"))  # an object identifier: 2.5.4.3
_SAN = (0x06, bytes.fromhex("551d11"))  # 2.5.29.17
_SEQUENCE, _VERSION, _EXTENSIONS = 0x30, 0xA0, 0xA3
_CONSTRUCTED, _INDEFINITE = 0x20, 0x80
_NESTED_LIMIT = 8
_PIECES_NESTED = 5  # OpenSSL's ASN1_MAX_STRING_NEST
_IPV4, _IPV6 = 4, 16


class NameKind(StrEnum):
    """The kinds of subjectAltName that libpq looks at."""

    DNS = "dns"
    IP = "ip"


_KINDS = {0x82: NameKind.DNS, 0x87: NameKind.IP}  # GeneralName (RFC 5280, section 4.2.1.6)


@dataclass(frozen=True)
class HostNames:
    """The names of one certificate as its bytes spell them.

    Attributes:
        alternatives: DNS names and IP addresses of the subjectAltName, in order.
        common_name: the value of the first CN of the subject, if it has one.
    """

    alternatives: tuple[tuple[NameKind, bytes], ...]
    common_name: bytes | None

    def spelled(self) -> tuple[str, ...]:
        """For people: ``DNS:db.example``, ``IP:10.0.0.1``, and ``CN:...`` last."""
        found = [
            f"DNS:{_text(value)}" if kind is NameKind.DNS else f"IP:{_address(value)}"
            for kind, value in self.alternatives
        ]
        if self.common_name is not None:
            found.append(f"CN:{_text(self.common_name)}")
        return tuple(found)


@dataclass(frozen=True)
class Match:
    """What libpq says about one certificate and one host.

    Attributes:
        matched: whether ``verify-full`` accepts the name.
        libpq: libpq's error text when it does not.
        older_libpq: what libpq 14 and older say.
    """

    matched: bool
    libpq: str | None
    older_libpq: bool


def is_address(host: str) -> bool:
    """Whether libpq takes ``host`` for an IP address (``inet_aton``, or ``inet_pton`` for IPv6)."""
    return _ipv4(host) is not None or _ipv6(host) is not None


def sends_server_name(host: str) -> bool:
    """Whether libpq sends ``host`` as TLS server name: not if it looks like an address."""
    return bool(host) and ":" not in host and bool(host.strip("0123456789."))


def match(names: HostNames, host: str) -> Match:
    """Say whether libpq's ``verify-full`` accepts these names for ``host``."""
    if not host:
        text = "host name must be specified for a verified SSL connection"
        return Match(matched=False, libpq=text, older_libpq=False)
    matched, text_now = _current(names, host)
    return Match(matched=matched, libpq=text_now, older_libpq=_older(names, host))


def names_of(der: bytes) -> HostNames:
    """Read the names out of a certificate (DER).

    A subjectAltName that cannot be read counts as none, as it does for OpenSSL's
    ``X509_get_ext_d2i``; a certificate that cannot be read at all has no names.
    """
    try:
        subject, extensions = _subject_and_extensions(der)
    except (ValueError, IndexError):
        return HostNames((), None)
    return HostNames(_alternatives(extensions), _first_common_name(subject))


# ---- the comparison


def _current(names: HostNames, host: str) -> tuple[bool, str | None]:
    host_kind = NameKind.IP if is_address(host) else NameKind.DNS
    candidates = list(names.alternatives)
    if names.common_name is not None and all(kind is not host_kind for kind, _ in candidates):
        candidates.append((NameKind.DNS, names.common_name))
    examined: list[str] = []
    for kind, value in candidates:
        if kind is NameKind.DNS:
            if b"\0" in value:
                return False, "SSL certificate's name contains embedded null"
            matched, spelled = _same_name(value, host), _text(value)
        else:
            if len(value) not in (_IPV4, _IPV6):
                return False, f"certificate contains IP address with invalid length {len(value)}"
            matched, spelled = value in (_ipv4(host), _ipv6(host)), _address(value)
        if matched:
            return True, None
        examined.append(spelled)
    return False, _mismatch(examined, host)


def _older(names: HostNames, host: str) -> bool:
    """libpq 14 and older: DNS names only, and the CN only when there is none."""
    candidates = [value for kind, value in names.alternatives if kind is NameKind.DNS]
    if not candidates and names.common_name is not None:
        candidates = [names.common_name]
    for value in candidates:
        if b"\0" in value:
            return False
        if _same_name(value, host):
            return True
    return False


def _mismatch(examined: list[str], host: str) -> str:
    if not examined:
        return "could not get server's host name from server certificate"
    others = len(examined) - 1
    more = f" (and {others} other name{'s' if others > 1 else ''})" if others else ""
    return f'server certificate for "{examined[0]}"{more} does not match host name "{host}"'


def _same_name(name: bytes, host: str) -> bool:
    pattern, wanted = _folded(name), _folded(host.encode("utf-8", "surrogateescape"))
    return pattern == wanted or _wildcard(pattern, wanted)


def _wildcard(pattern: bytes, host: bytes) -> bool:
    """One leading ``*.`` for one label (``wildcard_certificate_match``).

    The label may be empty, and libpq looks for its dot one place too far left, so ``a..b.c``
    matches ``*.b.c``. Both are kept: the point is to say what libpq says.
    """
    if len(pattern) < 3 or not pattern.startswith(b"*.") or len(pattern) > len(host):
        return False
    return host.endswith(pattern[1:]) and host.index(b".") >= len(host) - len(pattern)


def _folded(name: bytes) -> bytes:
    """Lower case for ASCII letters alone (``pg_strcasecmp`` in a UTF-8 or C locale)."""
    return name.lower()


def _ipv4(host: str) -> bytes | None:
    try:
        return socket.inet_aton(host)
    except (OSError, UnicodeError, ValueError):
        return None


def _ipv6(host: str) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET6, host)
    except (OSError, UnicodeError, ValueError):
        return None


def _address(value: bytes) -> str:
    families = {_IPV4: socket.AF_INET, _IPV6: socket.AF_INET6}
    family = families.get(len(value))
    return value.hex() if family is None else socket.inet_ntop(family, value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


# ---- reading the bytes (X.690: tag, length, content), as far as names need it
#
# This reader is the module's own, so that certifier.certificate can build on it. Like OpenSSL, it
# takes BER too: lengths that are not definite, and strings in pieces.


def _subject_and_extensions(der: bytes) -> tuple[bytes, bytes]:
    """The subject and the list of extensions (RFC 5280, section 4.1), each without its header."""
    parts = values(values(values(der)[0][1])[0][1])
    if parts[0][0] == _VERSION:
        parts = parts[1:]
    wrapped = next((content for tag, content in parts[6:] if tag == _EXTENSIONS), b"")
    return parts[4][1], values(wrapped)[0][1] if wrapped else b""


def _first_common_name(subject: bytes) -> bytes | None:
    try:
        for _tag, group in values(subject):
            for _tag, attribute in values(group):
                name, value = values(attribute)[:2]
                if name == _COMMON_NAME:
                    return _string(*value)
    except (ValueError, IndexError):
        return None
    return None


def _alternatives(extensions: bytes) -> tuple[tuple[NameKind, bytes], ...]:
    try:
        for _tag, extension in values(extensions):
            fields = values(extension)
            if fields[0] == _SAN:
                tag, names, _end = _value(fields[-1][1], 0, _NESTED_LIMIT)
                return tuple(
                    (_KINDS[kind & ~_CONSTRUCTED], _string(kind, name))
                    for kind, name in (values(names) if tag == _SEQUENCE else ())
                    if kind & ~_CONSTRUCTED in _KINDS
                )
    except (ValueError, IndexError):
        return ()
    return ()


def _string(tag: int, content: bytes, depth: int = _PIECES_NESTED) -> bytes:
    """The bytes of a string, put together when it came in pieces.

    Raises ValueError for pieces of pieces beyond OpenSSL's limit (``asn1_collect``).
    """
    if not tag & _CONSTRUCTED:
        return content
    if depth < 0:
        raise ValueError("a string in pieces that are nested too deeply")
    return b"".join(_string(*piece, depth - 1) for piece in values(content))


def values(content: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of each value. Raises ValueError or IndexError where there is none."""
    found, at = [], 0
    while at < len(content):
        tag, inside, at = _value(content, at, _NESTED_LIMIT)
        found.append((tag, inside))
    return found


def _value(content: bytes, at: int, depth: int) -> tuple[int, bytes, int]:
    """Tag and content of the value at `at`, and where the next one begins."""
    tag, size, begin = content[at], content[at + 1], at + 2
    if size == _INDEFINITE:
        if depth == 0:
            raise ValueError("values of open length are nested too deeply")
        end = begin
        while content[end : end + 2] != b"\0\0":
            _tag, _inside, end = _value(content, end, depth - 1)
        return tag, content[begin:end], end + 2
    if size > _INDEFINITE:
        begin += size & 0x7F
        size = int.from_bytes(content[at + 2 : begin], "big")
    if begin + size > len(content):
        raise ValueError("a value is cut off")
    return tag, content[begin : begin + size], begin + size
