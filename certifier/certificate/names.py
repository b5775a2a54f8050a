"""The names that a certificate carries."""

from certifier.models import Fact


class Names(Fact):
    """The names a certificate carries, in its own order, as text for people.

    ``certificate.hostname`` compares names, and reads the bytes of the certificate for that.

    Attributes:
        dns: dNSName entries of the SAN; what cannot be printed appears as ``\\xNN``.
        ips: iPAddress entries; one that has neither 4 nor 16 bytes appears as ``0x`` and its hex.
        cn: the first CN of the subject, the one that libpq looks at.
    """

    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    cn: str | None = None
