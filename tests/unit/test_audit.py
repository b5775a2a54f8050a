"""The audit of rights finds what is granted and never used, and what is used and not granted."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sandbox.audit import DENIED, REASONS, Row, compared, granted
from sandbox.aws import template

ROOT = Path(__file__).resolve().parents[1]


def use(
    step: str, action: str, *, allowed: bool = True, scenario: str = "a.py::t"
) -> dict[str, Any]:
    return {
        "step": step, "action": action, "resource": "r", "condition": "{}",
        "allowed": allowed, "scenario": scenario,
    }  # fmt: skip


READ, WRITE = Row("probe", "s3:GetObject", "r", "", ""), Row("probe", "s3:PutObject", "r", "", "")


def test_a_right_that_is_used_names_the_scenario() -> None:
    """The first one, and nothing is wrong."""
    table, wrong = compared([READ], [use("probe", "s3:GetObject"), use("probe", "s3:GetObject")])
    assert [row.seen for row in table] == ["a.py::t"]
    assert wrong == ()


def test_a_right_that_nobody_uses_is_wrong() -> None:
    """That another function uses it does not help."""
    _, wrong = compared([READ, WRITE], [use("probe", "s3:GetObject"), use("plan", "s3:PutObject")])
    assert wrong == ("probe: s3:PutObject is granted, and never used",)


def test_a_right_that_must_be_has_its_reason() -> None:
    """In the place of a scenario."""
    ((row,), wrong) = compared([Row("read", "kms:Decrypt", "k", "", "")], [])
    assert "keys" in row.seen
    assert wrong == ()


def test_a_reason_may_be_of_one_function_alone() -> None:
    """What Tidy must have for a case that no scenario shows, another function must not."""
    rights = [Row(step, "sns:Publish", "t", "", "") for step in ("tidy", "probe")]
    _, wrong = compared(rights, [])
    assert wrong == ("probe: sns:Publish is granted, and never used",)


def test_every_reason_is_for_a_right_that_is_given_and_every_test_that_is_named_exists() -> None:
    """Neither list keeps what is gone."""
    rights = list(granted(template.synthesized()))
    named = {each for r in rights for each in (r.action, f"{r.function} {r.action}")}
    for what in REASONS.keys() - {"ec2:*", "kms:*"}:  # asked for by a setting
        assert any(fnmatchcase(each, what) for each in named), what
    tests = [path.read_text() for path in ROOT.rglob("test_*.py")]
    for name in DENIED:
        in_a_file = any(f"def {name}(" in text for text in tests)
        assert in_a_file or list(ROOT.rglob(f"{name}.py")), name


def test_a_use_without_a_right_is_wrong_but_in_an_attack() -> None:
    """It names function, action, resource and scenario."""
    denied = use("probe", "s3:DeleteObject", allowed=False)
    attack = use("probe", "s3:DeleteObject", allowed=False, scenario="x/test_own_work.py::t")
    _, wrong = compared([], [denied, attack])
    assert wrong == ("probe: s3:DeleteObject on r is used in a.py::t, and not granted",)
