"""CAs that were never there: which of a source's bundle nobody has approved yet.

Whoever can write a bundle can make DMS trust anybody. Where the setting
``new_anchor_needs_consent`` says so, a CA that no run has seen before waits: for
``ca_bundle_sha256`` in the source, or for a person who approves it. Pure decisions over values.
"""

from collections.abc import Iterable

from certifier.certificate import CertificateFacts
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.approval import SHORTEST
from certifier.run.state import SourceState
from certifier.source import Source
from certifier.text import counted, foremost, listed
from certifier.vocabulary import Cause, Witness

_SHOWN = 5
_ROOM = 720  # characters of their names


def unapproved(
    source: Source, bundle: Iterable[CertificateFacts], state: SourceState
) -> tuple[CertificateFacts, ...]:
    """Return the CAs of the bundle that are new, or wait since an earlier run.

    The first bundle of a source is what its registrant has named; so is one that the source names
    by its SHA-256.
    """
    if source.ca_bundle_sha256 is not None:
        return ()
    return tuple(
        facts
        for facts in bundle
        if facts.sha256 in state.pending_anchors
        or (state.anchors and facts.sha256 not in state.anchors)
    )


def not_approved(name: str, waiting: tuple[CertificateFacts, ...]) -> Finding:
    """Return the finding that these CAs wait, with the command that approves no other."""
    count = counted(len(waiting), "CA")
    names = [f"{facts.title} (SHA-256 {facts.sha256})" for facts in waiting]
    # Nobody approves by this command what is not shown beside it.
    shown = len(foremost(names, most=_SHOWN, room=_ROOM))
    these = " ".join(facts.sha256[:SHORTEST] for facts in waiting[:shown])
    return finding(
        Cause.ANCHOR_NOT_APPROVED,
        place=Witness.PLAN,
        seen=f"the CA bundle holds {count} that nobody has approved and that never was in it;"
        f" `certifier approve {name} {these}` approves no other: {listed(names, most=shown)}",
    )
