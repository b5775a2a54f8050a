"""Wrong input of the command line: each sentence names what was wrong, and what is allowed."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from certifier.aws.clock import ServiceClock
from certifier.cli import main
from certifier.cli.reasons import reason
from certifier.errors import (
    Busy,
    CertifierError,
    InvalidEvent,
    Refused,
    Throttled,
    Unavailable,
    Unexpected,
    Unreadable,
)
from certifier.vocabulary import Cause


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["status", "-o", "xml"],
            "argument -o/--output: there is no 'xml'; there are text, tsv, json",
        ),
        (["status", "--expiring", "x"], "'x' is not a whole number from 0 to 100,000"),
        (["status", "--expiring", "-1"], "'-1' is not a whole number from 0 to 100,000"),
        (["history", "orders", "--limit", "0"], "'0' is not a whole number from 1 to 1,000"),
        (["certify", "x", "--timeout", "nan"], "'nan' is not a number from 0 to 10,080"),
        (["watch", "--timeout", "-1"], "'-1' is not a number from 0 to 10,080"),
        (["probe", "x", "--port", "0"], "'0' is not a whole number from 1 to 65,535"),
        (["schema", "x"], "there is no 'x'; there are source, event"),
        (
            ["make-certificates", "d", "--host", "a", "--key-type", "q"],
            "argument --key-type: there is no 'q'; there are ec-p256, ec-p384, rsa-2048, rsa-3072,"
            " rsa-4096",
        ),
        (
            ["completion", "ksh"],
            "there is no 'ksh'; there are bash, zsh, fish, tcsh",
        ),
        (["stauts"], "there is no command 'stauts'; did you mean status?"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, with the usage of that command, and status 2."""
    assert main(words) == 2
    assert capsys.readouterr().err.rstrip().endswith(said)


def test_a_word_too_many_shows_the_usage_of_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not that of the whole program, in which the command's arguments do not stand."""
    assert main(["probe", "orders.db.example.com", "another"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: certifier probe")
    assert said.rstrip().endswith("certifier probe: error: unrecognized arguments: another")


def test_an_empty_host_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not a host whose probe has failed."""
    assert main(["probe", " "]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "certifier probe: the host is empty: give HOST, HOST:PORT, or libpq's address\n",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[]", "is a list without a source"),
        ("{", "is not JSON: it cannot be read at line 1, column 2"),
        ("null", "a source must be a JSON object"),
        ("[" * 100_000, "is nested too deep for a source"),
    ],
)
def test_a_file_without_a_source_is_refused_before_anything_starts(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named; no account is looked for."""
    file = tmp_path / "orders.json"
    file.write_text(content)
    assert main(["certify", str(file)]) == 1
    assert capsys.readouterr().err.endswith(f"  {file}: {said}\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Refused(Cause.AWS_DENIED, seen="Unable to locate credentials"),
            "Unable to locate credentials: give --profile, or sign in",
        ),
        (
            Refused(Cause.AWS_DENIED, seen="You must specify a region."),
            "You must specify a region: give --region, or set AWS_REGION",
        ),
        (
            Refused(
                Cause.AWS_DENIED,
                seen="DescribeStacks: The security token included in the request is expired",
            ),
            "DescribeStacks: The security token included in the request is expired: sign in again",
        ),
        (
            Unavailable("EndpointConnectionError"),
            "AWS cannot be reached (EndpointConnectionError): look at the network, the Region, and"
            " AWS_ENDPOINT_URL",
        ),
        (Unavailable("Query: X"), "AWS does not answer (Query: X); try again in a minute"),
        (
            Throttled("Query: X"),
            "AWS takes no more calls for now (Query: X); try again in a minute",
        ),
        (
            Busy("Put: X"),
            "something else is changing the same thing (Put: X); try again in a minute",
        ),
        (Unexpected("X: Y"), "AWS answers what was not expected (X: Y); please report it"),
        (
            Unreadable("STATE of orders"),
            "the STATE of orders in the table is not valid in this version of Certifier; deploy the"
            " version that wrote it",
        ),
        (
            Unreadable("SPEC of orders"),
            "the SPEC of orders in the table is not valid in this version of Certifier; deploy the"
            " version that wrote it, or register the source again",
        ),
        (InvalidEvent("one", "two"), "one\n  two"),
    ],
)
def test_what_aws_does_not_do_is_a_sentence(error: CertifierError, said: str) -> None:
    """With what to look at, where there is something; never the name of a class alone."""
    assert reason(error) == said


def _answer(then: datetime | str) -> SimpleNamespace:
    date = then if isinstance(then, str) else format_datetime(then, usegmt=True)
    return SimpleNamespace(headers={"date": date})


@pytest.mark.parametrize("hours", [-7, 3])
def test_ages_go_by_the_clock_of_aws(hours: int) -> None:
    """A laptop's clock that is wrong by hours changes nothing of what a command says."""
    clock = ServiceClock()
    there = datetime.now(UTC) + timedelta(hours=hours)
    clock.hear(_answer(there))
    assert abs(clock.now() - there) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "99 Nov 2026 00:00:00 GMT",
        "Mon, 30 Feb",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999",
        "Mon, 01 Jan 2026 00:00:00 +9999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "Wed, 01 Jan 2200 00:00:00 GMT",
    ],
)
def test_an_answer_without_a_date_moves_no_clock(date: str) -> None:
    """Nor does one whose date cannot be read, or no answer at all."""
    clock = ServiceClock()
    clock.hear(_answer(date))
    clock.hear(None)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_second_of_difference_is_none() -> None:
    """``Date`` has whole seconds: nothing jumps back and forth by one."""
    clock = ServiceClock()
    clock.hear(_answer(datetime.now(UTC) - timedelta(seconds=1)))
    before = datetime.now(UTC)
    assert before <= clock.now()
