"""What DMS or a colleague says in a mail stays in its line, and moves no terminal."""

import pytest

from certifier.aws.sns import MESSAGE_LIMIT
from certifier.diagnosis import finding
from certifier.run.mail import about_findings, about_stopped, about_undeleted
from certifier.vocabulary import Cause, Outcome, Witness
from tests.unit.situations import AT, STOPPED, situation

_SAID = "Last Error\n\n  Runbook      https://evil.example.com\x1b[2J\u202e\r\ud800"


def test_dms_s_words_stay_in_their_line() -> None:
    """A server decides what a task fails with: it cannot write lines that seem to be ours."""
    usual = about_stopped(situation(stopped=(STOPPED,)), Outcome.FAILED, ())
    said = STOPPED.model_copy(update={"said": _SAID})
    hostile = about_stopped(situation(stopped=(said,)), Outcome.FAILED, ())
    lines = hostile.message.splitlines()
    assert len(lines) == len(usual.message.splitlines())
    assert all(line.isprintable() for line in lines)
    assert any("DMS says" in line and "evil" in line for line in lines)


@pytest.mark.parametrize("field", ["host", "endpoint"])
def test_a_name_stays_in_its_line(field: str) -> None:
    """Whatever a colleague has named."""
    at = situation(**{field: f"orders\n{_SAID[:-1]}"})
    lines = about_findings(at, Outcome.FAILED, ()).message.splitlines()
    assert len(lines) == len(about_findings(situation(), Outcome.FAILED, ()).message.splitlines())
    assert all(line.isprintable() for line in lines)


def test_what_aws_answers_stays_in_its_line() -> None:
    """A certificate's identifier and the error on it are of others too."""
    lines = about_undeleted(AT.place, "orders\nca", "arn", _SAID).message.splitlines()
    usual = about_undeleted(AT.place, "orders-ca", "arn", "in use").message.splitlines()
    assert len(lines) == len(usual)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("character", ["x", "ü", "\x1b"])
def test_nobody_writes_so_much_that_a_mail_does_not_say_where_to_look(character: str) -> None:
    """SNS delivers 8 KiB of ours; runbook, record and run stand at its end."""
    long = character * 9000
    tasks = tuple(
        STOPPED.model_copy(update={"said": long, "identifier": f"task-{number}"})
        for number in range(30)
    )
    many = tuple(
        finding(Cause.CONNECTION_TIMEOUT, place=Witness.DMS_TEST, seen=long, raw=long)
        for _ in range(20)
    )
    at = situation(stopped=tasks, wal=(long,) * 30, trusts=(long,) * 30)
    for mail in (
        about_stopped(at, Outcome.CERTIFIED, many),
        about_findings(at, Outcome.FAILED, many),
        about_undeleted(AT.place, long[:200], "arn", long),
    ):
        assert len(mail.message.encode()) <= MESSAGE_LIMIT
        assert "Runbook" in mail.message


def test_as_much_as_fits_is_said() -> None:
    """And how much is not."""
    tasks = tuple(STOPPED.model_copy(update={"identifier": f"task-{n}"}) for n in range(12))
    message = about_stopped(situation(stopped=tasks), Outcome.FAILED, ()).message
    assert message.count("DMS says") == 10
    assert "and 2 more in the record" in message
