"""Which CAs a change brings and takes away, by the names that people call them. Pure."""

from collections import Counter
from collections.abc import Sequence

from certifier.run.intent import Ca
from certifier.text import counted

NAMED = 3
"""So many CAs of a bundle are named."""
_LONGEST = 60
_HASH = 8


def which_cas(old: Sequence[Ca], new: Sequence[Ca], *, rolled_back: bool = False) -> str:
    """Return the CAs from and to; of bundles too large to be read, what comes and what goes.

    Args:
        old, new: the CAs that the endpoint trusts before and after the change.
        rolled_back: the change was made, and the endpoint trusts the old ones again.
    """
    name = _names((*old, *new))
    if max(len(old), len(new)) <= NAMED:
        before, after = (_sum([name[ca.sha256] for ca in cas]) or "none" for cas in (old, new))
        return f"{after} → back to {before}" if rolled_back else f"{before} → {after}"
    kept = {ca.sha256 for ca in old} & {ca.sha256 for ca in new}
    added = [name[ca.sha256] for ca in new if ca.sha256 not in kept]
    removed = [name[ca.sha256] for ca in old if ca.sha256 not in kept]
    parts = [f"added {_sum(added)}"] if added else []
    parts += [f"removed {_sum(removed)}"] if removed else []
    parts += [f"kept {counted(len(kept), 'CA')}"] if kept else []
    return ", ".join(parts) + (", rolled back" if rolled_back else "")


def named(cas: Sequence[Ca]) -> str:
    """Return the first CAs of a bundle by their names, and how many more there are."""
    name = _names(cas)
    return _sum([name[ca.sha256] for ca in cas])


def _sum(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return " + ".join(names[:NAMED]) + (f" + {more} more" if more > 0 else "")


def _names(cas: Sequence[Ca]) -> dict[str, str]:
    """Return what to call each CA, by fingerprint; two of one name have its beginning with it."""
    short = {ca.sha256: _short(ca.subject) for ca in cas}
    often = Counter(short.values())
    return {
        sha256: f"{name} ({sha256[:_HASH]}…)" if often[name] > 1 else name
        for sha256, name in short.items()
    }


def _short(subject: str) -> str:
    """Return the common name of a subject; the subject where it has none."""
    name = subject.partition("CN=")[2].partition(",")[0] or subject
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
