"""Reading the fleet, within bounds; and ``certifier report``, against moto."""

import argparse
import json
import re
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.fleet import gather
from certifier.aws.s3 import JSON, Documents
from certifier.aws.store import Store
from certifier.cli import report
from certifier.fleet.digest import FORMAT
from certifier.run.event import FLEET_PAGE
from sandbox.fleet import fleet, settle
from tests.aws.test_cli_fleet import STACK

NOW = datetime.now(UTC)


@pytest.fixture
def documents(clients: Clients, bucket: str) -> Documents:
    return Documents(clients.client("s3"), bucket)


@pytest.fixture
def settled(aws: boto3.Session, table: str, bucket: str) -> int:
    """A table and a bucket with a dozen sources, eleven of them with a record."""
    members = [member for member in fleet(60, NOW) if member.spec.name.endswith("-1")][-12:]
    assert sum(member.record is None for member in members) == 1
    cloud: Any = SimpleNamespace(client=aws.client, table=table, bucket=bucket)
    settle(cloud, members)
    return len(members)


def keep(documents: Documents, gathered: Any) -> None:
    body = gathered.digests.model_dump_json(exclude_none=True).encode()
    documents.put(f"{FLEET_PAGE}.json", body, JSON)


def test_a_record_is_read_once(settled: int, store: Store, documents: Documents) -> None:
    """The next page reads only what is new since, and shows the same."""
    first = gather(store, documents)
    assert (len(first.sources), first.read, first.unread) == (settled, settled - 1, 0)
    keep(documents, first)
    second = gather(store, documents)
    assert second.read == 0
    assert second.sources == first.sources
    assert second.digests == first.digests


def test_what_is_kept_by_another_version_is_read_again(
    settled: int, store: Store, documents: Documents
) -> None:
    """It is a cache; also one that nobody can read is."""
    first = gather(store, documents)
    keep(documents, first)
    kept = documents.get(f"{FLEET_PAGE}.json") or b""
    assert FORMAT.encode() in kept
    for other in (kept.replace(FORMAT.encode(), b"certifier.fleet/0"), b"not JSON"):
        documents.put(f"{FLEET_PAGE}.json", other, JSON)
        assert gather(store, documents).read == settled - 1


def test_the_reading_is_bounded(settled: int, store: Store, documents: Documents) -> None:
    """In number and in time; what is left is counted, and read by the next ones."""
    few = gather(store, documents, records=4)
    assert (few.read, few.unread) == (4, settled - 5)
    assert len(few.sources) == settled, "every source is on the page all the same"
    ticks = count()
    slow = gather(store, documents, seconds=3, clock=lambda: float(next(ticks)))
    assert 0 < slow.read < 5
    keep(documents, few)
    rest = gather(store, documents)
    assert (rest.read, rest.unread) == (settled - 5, 0)


def test_a_record_that_is_gone_spoils_nothing(
    settled: int, store: Store, documents: Documents, clients: Clients
) -> None:
    """Records expire, and the table still names the last one."""
    name = next(facts.state.record for facts in gather(store, documents).sources if facts.digest)
    clients.client("s3").delete_object(Bucket=documents.bucket, Key=f"{name}.json")
    gathered = gather(store, documents)
    gone = next(facts for facts in gathered.sources if facts.state.record == name)
    assert gone.digest is not None
    assert not gone.digest.readable


# -- certifier report


@pytest.fixture
def installed(aws: boto3.Session, settled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack named Certifier, and one named Second over the same table."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    formation = aws.client("cloudformation")
    for stack in ("Certifier", "Second"):
        formation.create_stack(StackName=stack, TemplateBody=json.dumps(STACK))


def command(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    report.register(parser.add_subparsers())
    args = parser.parse_args(["report", *argv])
    code: int = args.run(args)
    return code


def test_report_writes_the_page(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its records are links to where a person opens them: the S3 console."""
    file = tmp_path / "page.html"
    assert command("--region", "eu-west-1", "--output", str(file)) == 0
    html = file.read_text()
    assert capsys.readouterr().out == f"{headline(html)}: {file}\n"
    assert html.count('class="sheet"') == 12
    (address, *_) = re.findall(r'href="(https://[^"]*)"', html)
    assert address.startswith(
        "https://eu-west-1.console.aws.amazon.com/s3/object/certifier-bucket?region=eu-west-1"
    )
    assert "Certifier · eu-west-1 · 123456789012" in html


def headline(html: str) -> str:
    (found,) = re.findall("<h1>(.*?)</h1>", html)
    return str(found)


def test_several_installations_come_into_one_page(installed: None, tmp_path: Path) -> None:
    """An option that is given once holds for all of them."""
    file = tmp_path / "page.html"
    words = ("--region", "eu-west-1", "--stack", "Certifier", "--stack", "Second")
    assert command(*words, "--output", str(file)) == 0
    html = file.read_text()
    assert html.count('class="sheet"') == 24
    assert "of 24 sources" in headline(html)
    assert "Second · eu-west-1" in html


def test_one_that_cannot_be_read_does_not_hide_the_others(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page and the exit status say so."""
    file = tmp_path / "page.html"
    words = ("--region", "eu-west-1", "--stack", "Certifier", "--stack", "Nowhere")
    assert command(*words, "--output", str(file)) == 1
    assert "there is no stack Nowhere" in capsys.readouterr().err
    assert "there is no stack Nowhere" in file.read_text()
    assert file.read_text().count('class="sheet"') == 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--stack", "A", "--stack", "B", "--stack", "C", "--region", "x", "--region", "y"),
            "each once",
        ),
        (("--region", "eu-west-1", "--stack", "Nowhere"), "there is no stack Nowhere"),
        (("--region", "eu-west-1", "--output", "/nowhere/at/all.html"), "No such file"),
    ],
)
def test_what_is_wrong_is_one_line(
    installed: None, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And exit status 2."""
    assert command(*words) == 2
    assert said in capsys.readouterr().err


def test_open_starts_the_browser(
    installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the page as a file; where there is none to start, the page is written all the same."""
    opened: list[str] = []
    file = tmp_path / "page.html"

    def browser(url: str) -> bool:
        opened.append(url)
        return len(opened) == 1

    monkeypatch.setattr("webbrowser.open", browser)
    for _ in range(2):
        assert command("--region", "eu-west-1", "--open", "--output", str(file)) == 0
    assert opened == [file.as_uri()] * 2
