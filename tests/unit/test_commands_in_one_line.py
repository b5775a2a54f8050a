"""A command that is printed can be copied: no line of ours ends inside one."""

import io

import pytest

from certifier.cli.terminal import Terminal
from certifier.diagnosis import finding
from certifier.run.consent import consent_command, not_allowed
from certifier.vocabulary import Cause, Witness

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_command_is_on_one_line(width: int) -> None:
    """One that an owner is to run, and one between backticks; the words around them wrap."""
    refused = not_allowed("the secret", SECRET, {"certifier:source": "billing"}, "orders")
    assert refused is not None
    approve = f"certifier approve orders {'0' * 16} {'1' * 16} {'2' * 16}"
    waits = finding(
        Cause.ANCHOR_NOT_APPROVED,
        place=Witness.PLAN,
        seen=f"three CAs wait, and nobody has looked at them: `{approve}` approves no other",
    )
    out = io.StringIO()
    terminal = Terminal(out, width=width)
    terminal.finding(refused)
    terminal.finding(waits, source="orders")
    lines = out.getvalue().splitlines()
    for command in (consent_command(SECRET, "billing", "orders"), f"`{approve}`"):
        assert [line for line in lines if command in line]
    for line in lines:
        assert len(line) <= width or "aws" in line or "certifier " in line


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_is_not_a_command_wraps_as_ever(width: int) -> None:
    """A backtick alone, and the word aws in a sentence."""
    out = io.StringIO()
    Terminal(out, width=width).line("it ` is " + "word " * 40 + "aws is " + "word " * 40)
    assert max(map(len, out.getvalue().splitlines())) <= width
