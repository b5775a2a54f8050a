"""What one version of Certifier writes and another may read: after a deployment, or its rollback.

The steps of one run are always of one version. What lies in the table, a handover of Onboard, and
what an earlier run has left in the bucket is not. One rule holds for all of it (decision 16):

- A later version reads what an earlier one has written: a field that is added has a default, which
  means what its absence has meant; no default of a field ever changes.
- An earlier version reads what a later one has written, as long as that says nothing new: a field
  that has its default is not written.
- What it cannot read, an earlier version leaves as it is (``Unreadable``): who acts on a log, a
  spec or a breaker must understand all of it. What is only shown (``shown``) is read without what
  is not known.
"""

from typing import Any, TypeVar

from certifier.models import Fact

F = TypeVar("F", bound=Fact)


def written(fact: Fact, *, without: frozenset[str] = frozenset()) -> str:
    """Return a fact as JSON for whichever version reads it; ``without`` these fields."""
    return fact.model_dump_json(exclude=set(without), exclude_defaults=True)


def given(fact: Fact) -> dict[str, Any]:
    """Return a fact as plain values, as :func:`written` does; instants and enums stay."""
    return fact.model_dump(exclude_defaults=True)


def shown(kind: type[F], body: bytes | str) -> F:
    """Return what people look at, and nobody acts on, without the fields of a later version.

    Raises:
        ValidationError: it is something else all the same.
    """
    return kind.model_validate_json(body, extra="ignore")
