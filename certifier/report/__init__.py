"""Pages that a database engineer reads: one certification, or one execution over many sources.

Plain HTML with its own style sheet: no script, nothing fetched, good on a phone, in print, light
and dark. Everything is escaped; what a server said has been made printable before it came here. The
pages link to each other by relative addresses, as they lie in the bucket. The page of the whole
fleet is made in ``fleet``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from certifier.models import errors_first
from certifier.run.event import run_id
from certifier.run.intent import IntendedChange
from certifier.run.record import Certification, Proof
from certifier.run.settled import open_first
from certifier.run.summary import Summary
from certifier.text import LONGEST, is_plain, printable, size, span
from certifier.vocabulary import Outcome, SslMode

if TYPE_CHECKING:
    from jinja2 import Environment

SYMBOLS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CERTIFIED: "✓",
        Outcome.TASK_STOPPED: "■",
        Outcome.REFUSED: "✕",
        Outcome.ROLLED_BACK: "↺",
        Outcome.FAILED: "!",
        Outcome.PLANNED: "→",
        Outcome.DEFERRED: "…",
    }
)
"""Beside the colour and the word, so that no reader depends on either."""

SENTENCES: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.TASK_STOPPED: "DMS connects with the settings of the source, but a task that was "
        "stopped for the change does not run again. It is tried again.",
        Outcome.REFUSED: "A check said no. The endpoint was not changed.",
        Outcome.ROLLED_BACK: "DMS could not connect with the new settings. The endpoint was "
        "rolled back, and DMS connects with its old settings.",
        Outcome.FAILED: "This needs a person: read the findings below.",
        Outcome.PLANNED: "Nothing was changed. This is what a run would do.",
        Outcome.DEFERRED: "This run left the source alone.",
    }
)

CERTIFIED: Mapping[SslMode, str] = MappingProxyType(
    {
        SslMode.NONE: "DMS connects in plain text, as the source asks. Nothing is encrypted, and "
        "who answers was not verified.",
        SslMode.REQUIRE: "DMS connects with TLS, as the source asks. Neither the certificate nor "
        "the host name was verified, so who answers is not known.",
        SslMode.VERIFY_CA: "DMS connects with TLS and verifies the server's chain, as the source "
        "asks. That it is this host's certificate was not verified.",
        SslMode.VERIFY_FULL: "DMS connects with TLS and verifies the server's chain and host name.",
    }
)
"""What is certified, and how little that is."""


QUOTED = 400
"""Characters of what was seen that the sheet of a source quotes, and of a subject or issuer."""
QUOTED_AT_LENGTH = 1_000
"""Characters of a certificate's names, and of what DMS said; the record has more."""


def certification_page(record: Certification) -> str:
    """Return the page of one certification, as HTML."""
    return _render(
        "certification.html",
        record=record,
        sentence=_sentence(record),
        findings=open_first(record.findings, record.settled),
        modes=_modes(record),
        slots=_slots(record),
        changes=_changes(record),
        probe=record.probe,
        evidence=(record.probe or {}).get("evidence"),
        days_class=_days_class(record.days_left),
        parent=run_id(record.parent),
    )


def summary_page(summary: Summary) -> str:
    """Return the page of one execution, as HTML; records are linked by relative addresses."""
    weight = [
        Outcome.TASK_STOPPED,
        Outcome.FAILED,
        Outcome.ROLLED_BACK,
        Outcome.REFUSED,
        Outcome.PLANNED,
        Outcome.DEFERRED,
        Outcome.CERTIFIED,
    ]
    lines = sorted(summary.lines, key=lambda line: (weight.index(line.outcome), line.name))
    return _render("summary.html", summary=summary, lines=lines, days_class=_days_class)


def _sentence(record: Certification) -> str:
    if record.outcome is Outcome.PLANNED and record.opens_at is not None:
        return f"The change waits until its window opens: {_when(record.opens_at)}."
    if record.outcome is Outcome.PLANNED and not record.changes:
        return "Nothing was changed, and nothing has to be."
    if record.outcome is Outcome.CERTIFIED:
        return _certified(SslMode(record.spec["ssl_mode"]), record.verified.dms_test)
    return SENTENCES[record.outcome]


def _certified(asked: SslMode, proof: Proof | None) -> str:
    """Return what is certified; no more than DMS has shown, where that is less than was asked."""
    if proof is None or asked in (_shown_by(proof), SslMode.NONE):
        return CERTIFIED[asked]
    return f"DMS connects: {proof.words}. The source asks for {asked.value}."


def _shown_by(proof: Proof) -> SslMode:
    """Return the strictest mode that a connection with this proof can have had."""
    if proof.host_name:
        return SslMode.VERIFY_FULL
    if proof.chain:
        return SslMode.VERIFY_CA
    return SslMode.REQUIRE if proof.encrypted else SslMode.NONE


def _modes(record: Certification) -> list[dict[str, Any]]:
    """Return one row for each mode that uses TLS: connects or not, why, and DMS's own reading."""
    if record.probe is None:
        return []
    wanted = record.spec.get("ssl_mode")
    rows = []
    for mode in (SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL):
        verdict = record.probe["verdicts"].get(mode.value)
        if verdict is not None:
            rows.append({"mode": mode.value, "wanted": mode.value == wanted, **verdict})
    return rows


def _changes(record: Certification) -> tuple[IntendedChange, ...]:
    """Return the changes, with the CAs behind digests where the record names them."""
    if record.intent is not None:
        return record.intent.changes
    return tuple(IntendedChange(**dict(change)) for change in record.changes)


def _slots(record: Certification) -> list[dict[str, Any]]:
    """Return one row for each replication slot that nobody read from in one of the two looks."""
    before = {slot.name: slot for slot in record.slots.before or ()}
    after = {slot.name: slot for slot in record.slots.after or ()}
    rows = []
    for name in {**before, **after}:
        looks = [look[name] for look in (before, after) if name in look]
        if not all(slot.active for slot in looks):
            kept = {"before": before.get(name), "after": after.get(name)}
            rows.append({"now": looks[-1], "at_pause": record.slots.at_pause.get(name), **kept})
    return rows


def _size(count: int | None) -> str:
    return "–" if count is None else size(count)


def _days_class(days: int | None) -> str:
    if days is None:
        return ""
    return "bad" if days < 7 else "warn" if days < 30 else "good"


def _when(value: datetime | str | None) -> str:
    """Return an instant for people: UTC, to the minute."""
    if value is None:
        return "–"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _minute(value: datetime) -> int:
    """Return an instant as it sorts: minutes since 1970."""
    return int(value.timestamp()) // 60


def _short(value: datetime) -> str:
    """Return an instant for a narrow column, UTC."""
    return value.astimezone(UTC).strftime("%d %b %H:%M")


def _day(value: datetime | None) -> str:
    """Return the day of an instant, UTC."""
    return "–" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def _clip(text: str, limit: int = QUOTED) -> str:
    """Return as much of a text as a page quotes; the record has all of it."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _last(arn: str) -> str:
    """Return the end of an ARN, which is what people know it by."""
    return arn.rsplit(":", 1)[-1]


def _quarters(sha256: str | None) -> tuple[str, ...]:
    """Return a fingerprint in pairs, so that it can be compared by eye, in four parts.

    A line that is too short for it breaks between them.
    """
    text = (sha256 or "").upper()
    pairs = ":".join(text[i : i + 2] for i in range(0, len(text), 2))
    return tuple(pairs[i : i + 24] for i in range(0, len(pairs), 24))


def _visible(value: Any) -> Any:
    """Return a text without what turns the direction of writing, or is not seen; others as is.

    Whatever a template shows passes here, so that none can forget it.
    """
    if type(value) is not str or is_plain(value):
        return value
    return "\n".join(printable(line, LONGEST) for line in value.split("\n"))


@cache
def environment() -> "Environment":
    """Return the templates of all pages, and what they share."""
    # a fifth of a cold start, and a refused step never renders a page
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=PackageLoader("certifier.report"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        when=_when,
        seconds=lambda count: span(timedelta(seconds=count)),
        minute=_minute,
        short=_short,
        day=_day,
        clip=_clip,
        last=_last,
        quarters=_quarters,
        size=_size,
        errors_first=errors_first,
    )
    made.globals.update(symbols=SYMBOLS, at_length=QUOTED_AT_LENGTH)
    return made


def _render(template: str, **values: Any) -> str:
    return environment().get_template(template).render(**values)
