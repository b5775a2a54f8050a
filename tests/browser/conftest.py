"""A browser, and the pages as the bucket would hold them, in a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from certifier.fleet.digest import digest
from certifier.fleet.facts import InstallationFacts, SourceFacts
from certifier.fleet.page import fleet_page
from certifier.report import certification_page, summary_page
from certifier.report.fleet import fleet_html
from certifier.run.event import run_id
from certifier.run.summary import Line, Summary
from certifier.vocabulary import Mode, Origin
from sandbox.fleet import Member, fleet
from tests.browser import chromium

SHOTS = chromium.ROOT / "build" / "browser"
"""Where the pictures are left, for people to look at."""
FEW, MANY, MOST = 30, 200, 1000
ARGUMENTS = ("--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage")
EXECUTION = "arn:aws:states:execution-1"
LAUNCH_MILLISECONDS = 60_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine; only where no package brings one may these tests be skipped."""

    try:
        found = chromium.find()
    except chromium.NoChromium as reason:
        pytest.skip(str(reason))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found.executable,
            env=found.environment,
            args=list(ARGUMENTS),
            timeout=LAUNCH_MILLISECONDS,
        )
        yield started
        started.close()


@dataclass(frozen=True)
class Folder:
    """Pages on disk as in the bucket: ``reports/latest.html``, an execution, and the records."""

    root: Path
    names: tuple[str, ...]
    record: Path
    execution: Path

    @property
    def fleet(self) -> Path:
        """The page of the fleet."""
        return self.root / "reports" / "latest.html"


def write(root: Path, members: list[Member], now: datetime, *, records: bool = True) -> Folder:
    """Write the pages of these sources; ``records``: also those that the fleet's page leads to."""
    facts, bundles, lines = [], {}, []
    (root / "reports").mkdir(parents=True)
    written: list[Path] = []
    for member in members:
        known, key = None, member.state.record
        if member.record is not None and key is not None:
            record = member.record
            known, trusted = digest(key, record.model_dump_json().encode())
            bundles[str(known.bundle)] = trusted
            page = root / f"{key}.html"
            if records:
                page.parent.mkdir(parents=True)
                page.write_text(certification_page(record))
            written.append(page)
            lines.append(
                Line(
                    name=record.source,
                    outcome=record.outcome,
                    cause=record.findings[0].cause if record.findings else None,
                    seen=record.findings[0].seen if record.findings else None,
                    ssl_mode=member.state.ssl_mode,
                    days_left=record.days_left,
                    pending_restarts=len(record.tasks.pending_restarts),
                    record=key,
                )
            )
        facts.append(SourceFacts(member.spec.name, member.spec, 1, member.state, known))
    execution = root / "reports" / f"{run_id(EXECUTION)}.html"
    summary = Summary(
        execution=EXECUTION,
        mode=Mode.APPLY,
        origin=Origin.SCHEDULE,
        reported_at=now,
        lines=tuple(lines),
    )
    execution.write_text(summary_page(summary))
    installation = InstallationFacts(
        "Certifier · eu-west-1 · 123456789012",
        lambda key: f"../{key}.html",
        tuple(facts),
        bundles,
        finished_at=now,
        report="reports/execution-1",
    )
    (root / "reports" / "latest.html").write_text(fleet_html(fleet_page([installation], now)))
    names = tuple(member.spec.name for member in members)
    return Folder(root, names, written[0], execution)


def written(tmp_path_factory: pytest.TempPathFactory, count: int) -> Folder:
    now = datetime.now(UTC)
    return write(
        tmp_path_factory.mktemp(f"fleet-{count}"), list(fleet(count, now, parent=EXECUTION)), now
    )


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A small fleet, for what takes long for each source."""
    return written(tmp_path_factory, FEW)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two hundred mixed sources."""
    return written(tmp_path_factory, MANY)


@pytest.fixture(scope="session")
def most(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A thousand sources."""
    return written(tmp_path_factory, MOST)
