"""What ``certifier history`` says of each run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from certifier.run.documents import Change
from certifier.run.intent import AcmImport, IntendedChange, Intent, Would
from certifier.run.past import past
from certifier.run.record import Certification
from certifier.vocabulary import Mode, Origin, Outcome

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
SPEC = {"name": "orders", "endpoint": "orders-source", "host": "h", "ssl_mode": "require"}


def record(outcome: Outcome, **more: Any) -> Certification:
    kept: dict[str, Any] = {
        "source": "orders",
        "version": 1,
        "spec": SPEC,
        "run": "arn:aws:states:eu-west-1:111122223333:execution:M/Source:run-1",
        "parent": "arn:aws:states:eu-west-1:111122223333:execution:M:certify-1",
        "mode": Mode.APPLY,
        "origin": Origin.DIRECT,
        "outcome": outcome,
        "recorded_at": NOW,
        **more,
    }
    return Certification(**kept)


def intended(*fields: str) -> tuple[IntendedChange, ...]:
    return tuple(IntendedChange(field=field, old="a", new="b") for field in fields)


@pytest.mark.parametrize(
    ("intent", "says"),
    [
        (Intent(would=Would.CREATE, changes=intended("ssl_mode")), "endpoint would be created"),
        (
            Intent(would=Would.CHANGE, changes=intended("ssl_mode", "certificate")),
            "would change ssl_mode, trusted CAs",
        ),
        (
            Intent(would=Would.UNCHANGED, acm=AcmImport(old=None, new="f" * 64)),
            "would import the certificate into ACM",
        ),
        (Intent(would=Would.UNCHANGED), ""),
    ],
)
def test_a_plan_says_what_a_run_would_do(intent: Intent, says: str) -> None:
    """A change that was only planned is not "nothing to change"."""
    (line,) = past([record(Outcome.PLANNED, mode=Mode.PLAN, intent=intent)])
    assert (line.what, line.is_plan) == (says, True)


def test_a_change_that_waits_says_which_and_until_when() -> None:
    """Planned in earnest: the window is closed."""
    intent = Intent(would=Would.CHANGE, changes=intended("certificate"))
    (line,) = past([record(Outcome.PLANNED, intent=intent, opens_at=NOW)])
    assert line.what == "would change trusted CAs; waits until 2026-11-30 08:00 UTC"


def test_a_rollback_of_the_cas_is_named_once() -> None:
    """The endpoint trusts what it trusted before."""
    change = Change(field="certificate", old="a" * 64, new="b" * 64)
    (line,) = past([record(Outcome.ROLLED_BACK, changes=(change,), rolled_back=True)])
    assert line.what.endswith("trusted CAs, rolled back")
