"""The CAs that a probe hands on: none but those that others have named. Pure decisions over values.

The probe meets hostile bytes, and what it writes decides which CAs DMS gets. It may choose among
those of the source's bundle, of the endpoint, and of what was dropped from it lately; a server that
had taken it over would add one of its own, which nobody would be notified of.
"""

from collections.abc import Iterable

from certifier.certificate import certificates_in
from certifier.run.documents import Material, Probed


def brings_trust(
    probed: Probed, material: Material, *, dropped: Iterable[str], public: str | None
) -> bool:
    """Return whether the probe's document holds a CA that neither source nor endpoint has named.

    Args:
        dropped: PEM of the CAs that were dropped and can come back.
        public: PEM of every public root, where the source trusts those; otherwise ``None``.
    """
    roots = _in(public)
    trusted = material.trusted.pem if material.trusted else None
    named = _in(material.bundle_pem) | _in(trusted) | roots
    for pem in dropped:
        named |= _in(pem)
    return not (_in(probed.union_pem) <= named and _in(probed.public_pem) <= roots)


def _in(pem: str | None) -> frozenset[bytes]:
    return frozenset(certificates_in(pem or ""))
