"""Which findings come first where not all have room.

A server chooses how many certificates it sends, and so how often a run finds that a key is small:
its repeats must not push out of sight what else was found. Pure decisions over values.
"""

from collections.abc import Iterable

from certifier.models import Finding, errors_first
from certifier.vocabulary import Cause, Severity


def repeats_last(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by weight and otherwise as they are: each cause once before one repeats."""
    known: set[tuple[Severity, Cause]] = set()
    ranked: list[tuple[int, bool, Finding]] = []
    for found in findings:
        of = (found.severity, found.cause)
        ranked.append((found.severity.weight, of in known, found))
        known.add(of)
    return tuple(found for *_, found in sorted(ranked, key=lambda rank: rank[:2]))


def foremost(findings: tuple[Finding, ...], *, count: int, room: int) -> tuple[Finding, ...]:
    """Return as many findings as fit, in their order; the weightiest in any case.

    Args:
        room: bytes of their texts.
    """
    kept: set[int] = set()
    for found in repeats_last(errors_first(findings))[:count]:
        room -= sum(len((text or "").encode()) for text in (found.seen, found.raw, found.remedy))
        if kept and room < 0:
            break
        kept.add(id(found))
    return tuple(found for found in findings if id(found) in kept)
