"""The names that a certificate carries."""

from typing import Final

from certifier.models import Fact
from certifier.text import printable

KEPT: Final = 100
"""How many names of a certificate are kept."""
_ROOM: Final = 8_192  # characters of them in all
_NAME: Final = 300  # and of each; a DNS name has at most 253


class Names(Fact):
    """The names a certificate carries, in its own order, as text for people.

    ``certificate.hostname`` compares names, and reads the bytes of the certificate for that.

    Attributes:
        dns: dNSName entries of the SAN; what cannot be printed appears as ``\\xNN``.
        ips: iPAddress entries; one that has neither 4 nor 16 bytes appears as ``0x`` and its hex.
        cn: the first CN of the subject, the one that libpq looks at.
        more: how many names of the SAN are left out here (:meth:`bounded`).
    """

    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    cn: str | None = None
    more: int = 0

    def bounded(self) -> "Names":
        """Return the first hundred names, fewer when they are long: a server sends thousands."""
        dns = _first(self.dns, KEPT, _ROOM)
        ips = _first(self.ips, KEPT - len(dns), _ROOM - sum(map(len, dns)))
        cn = None if self.cn is None else printable(self.cn, _NAME)
        more = len(self.dns) + len(self.ips) - len(dns) - len(ips)
        return Names(dns=dns, ips=ips, cn=cn, more=more)


def _first(names: tuple[str, ...], count: int, room: int) -> tuple[str, ...]:
    kept: list[str] = []
    for name in names[: max(count, 0)]:
        kept.append(printable(name, _NAME))
        room -= len(kept[-1])
        if room < 0:
            return tuple(kept[:-1])
    return tuple(kept)
