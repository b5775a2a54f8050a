"""One mail for what many sources of one execution have in common.

In an execution of more than ``SHARED`` sources, Record does not send what may wait: it leaves a
``Pending`` notice in the bucket, and Report sends it, alone or in a digest. The table learns
of a notice only after it was sent, so an execution that dies before loses none: to the source's
next run it is still news.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from certifier.models import Finding
from certifier.run import runbook
from certifier.run.event import run_id
from certifier.run.mail import Notice, Situation, cut, fitting, labelled, letter, size, subject
from certifier.run.pending import OnceSent, Pending
from certifier.run.settled import still_open
from certifier.run.site import Site
from certifier.text import clock_time, counted, span
from certifier.vocabulary import Cause, Outcome

if TYPE_CHECKING:  # Report, which sends, has no use for what it takes to end a run
    from certifier.run.ending import Ending

SHARED = 3
"""How many sources of an execution get mails of their own for one cause; more share a digest."""
IN_FULL = 4000
"""Bytes for the events of a digest, and the sources that are shown with what was seen."""
BY_NAME = 1500
"""Bytes for the names of others. What is delivered of ours is 8 KiB (certifier.aws.sns)."""
_EVENTS = 2000
_SEEN = 160
_REMEDY = 800
_STANDS = frozenset({Cause.TASK_NOT_RESTARTED, Cause.TASK_LEFT_ALONE})


_Shared = tuple[Outcome, Cause | None, tuple[tuple[Cause, str], ...]]


@dataclass(frozen=True)
class Mailing:
    """One mail, and the notices that people have read with it."""

    mail: Notice
    of: tuple[Pending, ...]


def may_wait(at: Situation, end: "Ending") -> bool:
    """Whether a notice may wait for the end of the execution.

    Not one on what we have touched: a task that does not run, whichever source it was stopped for,
    or a change that ended badly. All else is as it was before the run, which has only noticed it.
    """
    stands = any(f.cause in _STANDS for f in still_open(end.findings, end.settled))
    return not (stands or at.stopped or end.bad_end or end.ended_badly or end.unfinished)


def pending(
    at: Situation,
    end: "Ending",
    sent: Notice,
    kept: Mapping[str, Any],
    notified: Mapping[str, datetime],
) -> Pending:
    """Return a notice as it waits.

    Args:
        kept: the fields of STATE that change once it was sent, ``None`` for those that go.
        notified: of what people have been notified then.
    """
    after = {
        name: _whole_seconds(value or {}) if name == "anchors_left" else value or ()
        for name, value in kept.items()
        if name in OnceSent.model_fields
    }
    return Pending(
        name=at.name,
        run=at.run,
        outcome=end.outcome,
        findings=sent.about,
        host=at.host,
        endpoint=at.endpoint,
        next_due=at.next_due,
        subject=sent.subject,
        message=sent.message,
        once_sent=OnceSent(notified=_whole_seconds(notified), **after),
    )


def _whole_seconds(instants: Mapping[str, datetime]) -> dict[str, datetime]:
    """Return the instants as the table holds them, to be compared with what it has."""
    return {word: at.replace(microsecond=0) for word, at in instants.items()}


def mailings(
    waiting: Iterable[Pending],
    site: Site,
    *,
    execution: str,
    bucket: str,
    report: str,
    now: datetime,
) -> tuple[Mailing, ...]:
    """Return the mails to send: a digest for each cause of more than ``SHARED`` sources.

    An event is noted as notified for good, so sources share a digest only if they share their
    events to the word, and only if the digest has room for them.

    Args:
        report: key of the execution's report, without its suffix.
    """
    groups: dict[_Shared, list[Pending]] = {}
    for one in sorted(waiting, key=lambda each: each.name):
        cause = one.lead.cause if one.lead else None
        events = tuple((event.cause, event.seen) for event in one.events)
        groups.setdefault((one.outcome, cause, events), []).append(one)
    found: list[Mailing] = []
    for (outcome, cause, _), group in groups.items():
        if len(group) <= SHARED or size("\n".join(_of_events(group[0]))) > _EVENTS:
            found += [Mailing(Notice(one.subject, one.message), (one,)) for one in group]
            continue
        links = (
            *_next(group, outcome, now),
            labelled("Runbook", site.runbook(runbook.section(outcome, cause))),
            labelled("Report", site.file(bucket, f"{report}.html")),
            labelled("Run", site.execution(execution)),
        )
        found.append(
            Mailing(
                _digest(group, site, links, f"run {run_id(execution)} · {now:%Y-%m-%d %H:%M} UTC"),
                tuple(group),
            )
        )
    return tuple(found)


def _digest(group: list[Pending], site: Site, links: tuple[str, ...], run: str) -> Notice:
    lead, outcome = group[0].lead, group[0].outcome
    sources = counted(len(group), "source")
    lines = [_first_line(sources, outcome, lead), ""]
    alike = len({one.lead.remedy for one in group if one.lead}) == 1
    if lead is not None and lead not in group[0].events:
        lines.append(f"{lead.severity.value}: {lead.cause.value}")
        if alike:
            lines.append(f"  do    {cut(lead.remedy, _REMEDY)}")
        lines.append("")
    events = _of_events(group[0])
    lines += events
    blocks = ["\n".join(_of_source(one, own_remedy=not alike)) for one in group]
    shown = fitting(blocks, IN_FULL - size("\n".join(events)))
    lines += [line for block in shown for line in block.split("\n")]
    if rest := [one.name for one in group[len(shown) :]]:
        named = fitting(rest, BY_NAME)
        more = f" and {len(rest) - len(named)} more" if len(named) < len(rest) else ""
        lines.append(f"Also: {', '.join(named)}{more}")
    failing = " --failing" if outcome in (Outcome.REFUSED, Outcome.FAILED) else ""
    foot = f"{site.words} · {run}"
    lines += ["", labelled("Look", f"certifier status{failing}"), *links, foot]
    what = f"{outcome.words} again" if lead is None else f"{outcome.words}: {lead.cause.value}"
    return Notice(subject(site, f"{sources} {what}"), letter(lines))


def _next(group: Sequence[Pending], outcome: Outcome, now: datetime) -> Iterator[str]:
    """Yield when the first of them is looked at again, if one is by itself."""
    due = [one.next_due for one in group if one.next_due is not None]
    if due:
        left = f", in {span(min(due) - now)}" if min(due) > now else ""
        label = "Next run" if outcome.is_proven else "Next try"
        yield labelled(label, f"{clock_time(min(due))}{left}, for the first of them")


def _of_events(one: Pending) -> list[str]:
    """Return the events that the sources of a digest share, each whole."""
    lines: list[str] = []
    for event in one.events:
        lines += [f"{event.severity.value}: {event.cause.value}", f"  seen  {event.seen}"]
        lines += [f"  do    {cut(event.remedy, _REMEDY)}", ""]
    return lines


def _of_source(one: Pending, *, own_remedy: bool) -> list[str]:
    lines = [f"{one.name}: endpoint {one.endpoint}, host {one.host}"]
    if one.lead is None:
        return lines
    rest = [found for found in one.findings[1:] if found not in one.events]
    also = ", ".join(dict.fromkeys(found.cause.value for found in rest))
    own = one.lead if one.lead not in one.events else None
    rows = (
        ("seen", own and own.seen, _SEEN),
        ("said", own and own.raw, _SEEN),
        ("do", own.remedy if own and own_remedy else None, _REMEDY),
        ("also", also, _SEEN),
    )
    return lines + [f"  {label.ljust(4)}  {cut(text, room)}" for label, text, room in rows if text]


def _first_line(sources: str, outcome: Outcome, lead: Finding | None) -> str:
    if lead is None:
        return f"{sources}: {outcome.words}. Nothing needs a person any more."
    match outcome:
        case Outcome.REFUSED:
            what = "were refused for one cause. Nothing was changed for them"
        case Outcome.FAILED:
            what = "need you for one cause: it is not proven that DMS connects"
        case Outcome.PLANNED:
            what = "wait with their change, for one cause. Nothing was changed for them yet"
        case Outcome.CERTIFIED:
            what = "are certified: DMS connects. One cause needs a person all the same"
        case _:
            what = f"are {outcome.words}, for one cause"
    return f"{sources} {what}."
