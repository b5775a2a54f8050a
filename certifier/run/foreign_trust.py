"""The CAs that a probe hands on: none but those that others have named. Pure decisions over values.

The probe meets hostile bytes, and what it writes decides which CAs DMS gets. It may choose among
those of the source's bundle, of the endpoint, and of what was dropped from it lately; a server that
had taken it over would add one of its own, which nobody would be notified of.
"""

from collections.abc import Iterable

from certifier.certificate import certificate_facts, certificates_in
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Material, Probed
from certifier.text import listed
from certifier.vocabulary import Cause, Witness

_NAMED = 3


def trust_not_named(
    probed: Probed, material: Material, *, dropped: Iterable[str], public: str | None
) -> Finding | None:
    """Return why the probe's document is not followed: it holds a CA that nobody has named.

    Args:
        dropped: PEM of the CAs that were dropped and can come back.
        public: PEM of every public root, where the source trusts those; otherwise ``None``.
    """
    roots = _in(public)
    trusted = material.trusted.pem if material.trusted else None
    named = _in(material.bundle_pem) | _in(trusted) | roots
    for pem in dropped:
        named |= _in(pem)
    foreign = (_in(probed.union_pem) - named) | (_in(probed.public_pem) - roots)
    if not foreign:
        return None
    facts = map(certificate_facts, sorted(foreign))
    names = listed([f"{one.title} (SHA-256 {one.sha256})" for one in facts], most=_NAMED)
    seen = f"the probe of this run asks for a CA that nobody has named: {names}"
    return finding(Cause.ANCHOR_NOT_NAMED, place=Witness.PROBE, seen=seen)


def _in(pem: str | None) -> frozenset[bytes]:
    return frozenset(certificates_in(pem or ""))
