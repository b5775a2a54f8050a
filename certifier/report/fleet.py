"""The fleet page, as one HTML file that loads nothing: style and script are in it.

The script filters and sorts; without it the page is whole, worst first, and a source's sheet opens
by its fragment. Its digest is in the content security policy, so that nothing else can run.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from certifier.fleet.digest import CertificateDigest
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.last_days import DayBar
from certifier.fleet.page import FleetPage
from certifier.fleet.row import SourceRow
from certifier.fleet.status import Tone, lateness
from certifier.report import environment
from certifier.vocabulary import Outcome, Severity

SEVERITIES: Mapping[Severity, Tone] = MappingProxyType(
    {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.ADVICE: Tone.CALM}
)
LIMIT = 3_000_000
"""Bytes of a page: what a browser of a phone still opens within a second."""
BRIEF = 400
"""Bytes of a sheet that only names the record, about."""
_MARKS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CERTIFIED: "c",
        Outcome.PLANNED: "p",
        Outcome.DEFERRED: "p",
        Outcome.REFUSED: "w",
        Outcome.ROLLED_BACK: "w",
        Outcome.FAILED: "f",
        Outcome.TASK_STOPPED: "f",
    }
)
"""The class of a mark; those in a row that look alike are one mark of several times its width."""


def fleet_html(page: FleetPage) -> str:
    """Return the page as HTML, of at most about ``LIMIT`` bytes.

    Sheets are written worst first. Those for which no room is left only name the record.
    """
    script = _script()
    shared = {
        "several": page.several,
        "severities": SEVERITIES,
        "runs_text": _runs_text,
        "marks": _marks,
        "tone_of": lambda certificate: _tone_of(certificate, page.made_at),
    }
    whole = (
        environment()
        .get_template("fleet.html")
        .render(
            **shared,
            page=page,
            months=_months(page.made_at),
            days_text=_days_text(page.days),
            needing_of=_needing_of,
            script=script,
            script_hash=_digest_of(script),
        )
    )
    # What is foreign is escaped, so this comment is our own.
    before, _, after = whole.partition("<!-- sheets -->")
    room = LIMIT - len(whole.encode())
    return "".join((before, *_sheets(page, shared, room), after))


def _sheets(page: FleetPage, shared: Mapping[str, Any], room: int) -> Iterator[str]:
    macros: Any = environment().get_template("fleet_rows.html").make_module(dict(shared))
    room -= BRIEF * len(page.rows)
    for row in page.rows:
        sheet = str(macros.sheet(row))
        size = len(sheet.encode())
        if size > room + BRIEF:
            sheet = str(macros.brief(row))
        else:
            room -= size - BRIEF
        yield sheet + "\n"


_CONSOLES: Mapping[str, str] = MappingProxyType(
    {
        "aws": "console.aws.amazon.com",
        "aws-cn": "console.amazonaws.cn",
        "aws-us-gov": "console.amazonaws-us-gov.com",
    }
)


def console_address(partition: str, region: str, bucket: str, key: str) -> str:
    """Return where a person opens an object of the bucket: its page in the S3 console."""
    console = _CONSOLES.get(partition, _CONSOLES["aws"])
    query = urlencode({"region": region, "prefix": key})
    return f"https://{region}.{console}/s3/object/{quote(bucket)}?{query}"


@cache
def _script() -> str:
    loader = environment().loader
    assert loader is not None
    source, _, _ = loader.get_source(environment(), "fleet.js")
    return source


def _digest_of(script: str) -> str:
    """Return what a content security policy calls this script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"sha256-{digest}"


def _marks(row: SourceRow) -> list[str]:
    """Return the classes of the marks of the last runs, the oldest first."""
    looks = (_MARKS[run.outcome] for run in row.state.history.runs)
    return [f"{look} m{sum(1 for _ in alike)}" for look, alike in groupby(looks)]


def _tone_of(certificate: CertificateDigest, now: datetime) -> Tone:
    if certificate.not_after is None:
        return Tone.CALM
    return lateness(certificate.not_before, certificate.not_after, now).tone


def _runs_text(row: SourceRow) -> str:
    """Return what the marks of the last runs say to whoever does not see them."""
    runs = row.state.history.runs
    counts = Counter(run.outcome for run in runs)
    said = ", ".join(
        f"{counts[outcome]} {outcome.value.replace('_', ' ')}"
        for outcome in Outcome
        if counts[outcome]
    )
    return f"last {len(runs)} runs: {said}"


def _needing_of(page: FleetPage, installation: InstallationFacts) -> int:
    return sum(bool(row.needs) for row in page.rows if row.installation is installation)


NEAR = 24
"""Per cent of the axis on which, of a narrow screen, "expired" stands."""


def _months(now: datetime) -> list[dict[str, Any]]:
    """Return the beginnings of the next months, and where on the axis they lie, in per cent.

    ``shown``: where there is little room, neither ``odd`` ones are, nor those ``near`` its begin.
    """
    months = []
    year, month = now.year, now.month
    for number in range(1, 13):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        begins = datetime(year, month, 1, tzinfo=UTC)
        weeks = (begins - now) / timedelta(days=7)
        if 4 < weeks < 51:
            at = round((1 + weeks) / 53 * 100, 1)
            shown = "odd" if number % 2 == 0 else "near" if at < NEAR else ""
            months.append({"name": f"{begins:%b}", "at": at, "shown": shown})
    return months


def _days_text(days: tuple[DayBar, ...]) -> str:
    """Return what the picture of the last days says, in a sentence."""
    ran = [day for day in days if day.ran]
    bad = [day for day in ran if day.bad + day.warn]
    if not ran:
        return "Nothing has run in the last 90 days."
    if not bad:
        return f"On each of the {len(ran)} days with runs, every source that ran was well."
    worst = max(bad, key=lambda day: (day.trouble, day.day))
    counts = ((worst.bad, "failed"), (worst.warn, "refused or rolled back"))
    ended = " and ".join(f"{count} {word}" for count, word in counts if count)
    return (
        f"On {len(ran) - len(bad)} of {len(ran)} days with runs, every source that ran was well. "
        f"The worst day was {worst.day}: {ended}, of {worst.ran} sources that ran."
    )
