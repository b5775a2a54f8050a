"""Every option of ``certifier status``, on a fleet in which each has something to choose from."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from certifier.aws.clients import Clients
from certifier.aws.store import Store
from certifier.cli import status
from certifier.diagnosis import finding
from certifier.vocabulary import Cause, Outcome, Witness
from sandbox.aws import fast
from tests.aws.conftest import REGION, make_table
from tests.aws.test_cli_fleet import NOW, command, install, register

UNKNOWN = finding(
    Cause.UNKNOWN_AUTHORITY,
    place=Witness.PROBE,
    seen="CN=Orders CA 5 is not in the bundle",
    raw="SSL error: certificate verify failed",
)
Seen = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def fleet() -> Iterator[None]:
    """Two are fine, one of them near its end; five are refused for one cause; one has not run.

    One fleet for all: the command only reads, and at the end nothing of it is different.
    """

    def ends(days: int) -> dict[str, Any]:
        return {"expires_at": NOW + timedelta(days=days, hours=1), "ssl_mode": "verify-full"}

    with pytest.MonkeyPatch.context() as monkeypatch, fast.installed(), mock_aws():
        aws = fast.session(REGION)
        dynamodb = aws.client("dynamodb")
        table = make_table(Clients(aws))
        install(aws, monkeypatch)
        store = Store(dynamodb, table)
        register(store, "amber", outcome=Outcome.CERTIFIED, state=ends(300))
        register(store, "zebra", outcome=Outcome.CERTIFIED, state=ends(5))
        for number in range(5):
            refused = {"outcome": Outcome.REFUSED, "findings": (UNKNOWN,)}
            register(store, f"refused-{number}", **refused, state=ends(40 + number))
        register(store, "new")
        before = dynamodb.scan(TableName=table)["Items"]
        yield
        assert dynamodb.scan(TableName=table)["Items"] == before


def names(capsys: Seen, *argv: str) -> list[str]:
    """The sources in the order in which the JSON has them."""
    assert command(status, "--json", *argv) == 0
    return [each["name"] for each in json.loads(capsys.readouterr().out)["sources"]]


REFUSED = [f"refused-{number}" for number in range(5)]


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], [*REFUSED, "new", "zebra", "amber"]),
        (["--sort", "name"], ["amber", "new", *REFUSED, "zebra"]),
        (["--sort", "expiry"], ["zebra", *REFUSED, "amber", "new"]),
        (["--sort", "due"], ["new", "amber", *REFUSED, "zebra"]),
        (["--failing"], REFUSED),
        (["--expiring", "30"], ["zebra"]),
        (["--expiring", "42", "--sort", "name"], ["refused-0", "refused-1", "zebra"]),
        (["--expiring", "3"], []),
        (["zebra", "new", "--sort", "name"], ["new", "zebra"]),
    ],
)
def test_which_sources_and_in_which_order(
    argv: list[str], expected: list[str], capsys: Seen
) -> None:
    """What an option chooses is the same for people and programs; JSON shows it best."""
    found = names(capsys, *argv)
    if not argv:  # only who is first matters among those that are fine
        assert found[:5] == expected[:5]
        assert sorted(found) == sorted(expected)
        return
    assert found == expected


@pytest.mark.usefixtures("fleet")
def test_json_has_a_format_severities_and_the_endpoint(capsys: Seen) -> None:
    """Everything a program needs to decide."""
    assert command(status, "-o", "json", "refused-0") == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["format"] == "certifier.status/1"
    (source,) = payload["sources"]
    assert (source["cause"], source["severity"]) == ("unknown_authority", "error")
    assert source["said"] == UNKNOWN.raw
    assert source["endpoint"] == "refused-0-source"
    assert [each["severity"] for each in source["findings"]] == ["error"]


@pytest.mark.usefixtures("fleet")
def test_tsv_is_one_line_for_each_source_with_a_head(capsys: Seen) -> None:
    """Every line has every column; an instant is ISO; what is not known is empty."""
    assert command(status, "-o", "tsv", "--sort", "name") == 0
    head, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert head == list(status.COLUMNS)
    assert [row[0] for row in rows] == ["amber", "new", *REFUSED, "zebra"]
    assert {len(row) for row in rows} == {len(head)}
    amber, new = dict(zip(head, rows[0], strict=True)), dict(zip(head, rows[1], strict=True))
    assert (amber["mode"], amber["days_left"], amber["cause"]) == ("verify-full", "300", "")
    assert amber["due"].startswith(f"{NOW + timedelta(days=1, minutes=30):%Y-%m-%dT%H:%M}")
    assert (new["days_left"], new["last_run"]) == ("", "")


@pytest.mark.usefixtures("fleet")
def test_wide_folds_nothing_and_shows_every_column(capsys: Seen) -> None:
    """Each source has a line, those that are fine too, under a head."""
    assert command(status, "--wide") == 0
    out = capsys.readouterr().out
    for name in ("amber", "zebra", "new", *REFUSED):
        assert sum(line.split()[:1] == [name] for line in out.splitlines()) == 1, name
    heads = [column.replace("_", " ") for column in status.COLUMNS[:-1]]
    assert all(head in out for head in heads)


@pytest.mark.usefixtures("fleet")
def test_check_is_one_line_and_an_exit_status(capsys: Seen) -> None:
    """For monitoring: who needs a person, and what expires within a week."""
    assert command(status, "--check") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("NOT OK: refused-0: refused; refused-1: refused; ")
    assert line.endswith("2 more need a person; zebra expires in 5 days")
    assert command(status, "--check", "zebra") == 1
    capsys.readouterr()
    assert command(status, "--check", "amber", "new") == 0
    assert capsys.readouterr().out == "OK: 2 sources\n"


@pytest.mark.usefixtures("fleet")
def test_watch_shows_it_again_until_it_is_ended(
    capsys: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every ten seconds."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(status.run, "__defaults__", (sleep,))
    with pytest.raises(KeyboardInterrupt):  # of which main makes exit status 130
        command(status, "--watch")
    out = capsys.readouterr().out
    assert out.count("8 sources") == 3
    assert waited == [10.0] * 3


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--expiring", "soon"], "--expiring"),
        (["--sort", "colour"], "--sort"),
        (["-o", "xml"], "--output"),
    ],
)
def test_a_wrong_option_is_named(argv: list[str], says: str, capsys: Seen) -> None:
    """Exit status 2, and the option."""
    with pytest.raises(SystemExit) as ended:
        command(status, *argv)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("fleet")
def test_a_name_that_is_nearly_right_is_asked_about(capsys: Seen) -> None:
    """One line, exit status 1."""
    assert command(status, "zebr") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "zebra" in line
