"""What a mail about one source says. The first line answers: does replication run, do I get up.

Pure: from what the run knows. Every address opens in a browser, and DMS's own words are never left
out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.models import Fact, Finding
from certifier.run import runbook
from certifier.run.documents import StoppedTask
from certifier.run.foremost import repeats_last
from certifier.run.remedy import of_source
from certifier.run.site import Site
from certifier.run.why_stopped import why_stopped
from certifier.text import LONGEST, clock_time, counted, printable, span
from certifier.vocabulary import Cause, Outcome, Severity

SUBJECT = 100  # characters (SNS Publish)
_LABEL = 13
_LINE = LONGEST  # characters, of which a mail has room for no more
_FINDINGS = 20
_TASKS = 10
_TEXT = 1_000
"""Bytes of one text of others. What is delivered is 8 KiB (certifier.aws.sns), and ends with where
to look: nobody can write so much that this is cut off."""
_WORDS_OF_TASKS, _BLOCKS = 2_500, 3_500
"""Bytes for what DMS says of tasks, and for findings; the first of each is shown in any case."""
_SUBJECT_NAMES = 2


@dataclass(frozen=True)
class Notice:
    """What a person reads: one line, and the rest. ``about``: the findings, weightiest first."""

    subject: str
    message: str
    about: tuple[Finding, ...] = ()


class Situation(Fact):
    """One source at the end of a run, as far as a mail speaks of it.

    Attributes:
        run: ARN of the child execution.
        bucket, record: where the record lies; its key without suffix.
        host: with its port; ``endpoint``: the identifier.
        stopped: the tasks that we stopped and that do not run, the longest stopped first.
        restarted: how many tasks were stopped and run again.
        stopped_seconds: how long the longest of those did not run.
        trusts: the CAs with which DMS connects now.
        wal: what the server keeps for slots that nobody reads from, a line each.
        next_due: when the source is due again; ``opens_at``: the window that a change waits for,
            in ``zone``.
    """

    name: str
    place: Site
    run: str
    bucket: str
    record: str
    host: str
    endpoint: str
    now: datetime
    stopped: tuple[StoppedTask, ...] = ()
    restarted: int = 0
    stopped_seconds: float | None = None
    trusts: tuple[str, ...] = ()
    wal: tuple[str, ...] = ()
    next_due: datetime | None = None
    opens_at: datetime | None = None
    zone: str | None = None


def subject(place: Site, rest: str) -> str:
    """Return a subject, which begins with where it is."""
    whole = f"Certifier {place.region}: {rest}"
    return whole if len(whole) <= SUBJECT else whole[: SUBJECT - 3] + "..."


def letter(lines: Iterable[str]) -> str:
    """Return the text of a mail. What DMS, a server or a colleague has written stays in its line,
    so that nobody can write an address that seems to be ours."""
    return "".join(f"{printable(line, _LINE)}\n" for line in lines)


def about_stopped(at: Situation, outcome: Outcome, findings: Sequence[Finding]) -> Notice:
    """Return the mail on tasks that do not run."""
    tasks = at.stopped
    names = ", ".join(task.identifier for task in tasks[:_SUBJECT_NAMES])
    names += f" and {len(tasks) - _SUBJECT_NAMES} more" if len(tasks) > _SUBJECT_NAMES else ""
    be = "task {} IS STOPPED" if len(tasks) == 1 else "tasks {} ARE STOPPED"
    first = tasks[0]
    them = "it" if len(tasks) == 1 else "them"
    has = "has" if len(tasks) == 1 else "have"
    lines = [
        f"{names} {has} not run since {first.since:%H:%M} UTC ({span(at.now - first.since)})."
        f" Certifier stopped {them} for a change and could not restart {them}.",
        "",
    ]
    lines += _said_of(tasks, findings)
    lines.append(labelled("The change", _change(at, outcome, findings)))
    wal = fitting([cut(kept, _TEXT) for kept in at.wal[:_TASKS]], _TEXT)
    lines += [labelled("" if number else "WAL", kept) for number, kept in enumerate(wal)]
    lines += [labelled("Next try", _next_try(at)), ""]
    links = [("Task", at.place.task(task.identifier)) for task in tasks[:_SUBJECT_NAMES]]
    lines += list(_look(at, runbook.TASK_STOPPED, links))
    rest = [f for f in findings if f.cause is not Cause.TASK_NOT_RESTARTED]
    if rest:
        lines += ["", *_blocks(at.name, rest)]
    text = letter([*lines, _foot(at)])
    return Notice(subject(at.place, f"{at.name}: {be.format(names)}"), text)


def _said_of(tasks: Sequence[StoppedTask], findings: Sequence[Finding]) -> list[str]:
    """Return DMS's words on each task, or what we saw where it says nothing, as far as there is
    room.
    """
    lines = []
    for task in tasks[:_TASKS]:
        of = "" if len(tasks) == 1 else f"{task.identifier}: "
        said = task.said or f"nothing; the task is {task.status or 'not to be seen'}"
        line = labelled("DMS says", cut(f"{of}{said}", _TEXT))
        if not task.said and (why := why_stopped(task, findings)):
            line += "\n" + labelled("Why", cut(why, _TEXT))
        lines.append(line)
    shown = fitting(lines, _WORDS_OF_TASKS)
    if len(shown) < len(tasks):
        shown.append(labelled("", f"and {len(tasks) - len(shown)} more in the record"))
    return [line for each in shown for line in each.split("\n")]


def about_findings(at: Situation, outcome: Outcome, findings: Sequence[Finding]) -> Notice:
    """Return the mail on whatever else needs a person; ``findings``: the weightiest first."""
    lead = findings[0] if findings else None
    word = outcome.words if outcome is not Outcome.PLANNED else _waits_word(at)
    cause = lead.cause.value if lead else "see the record"
    lines = [_first_line(at, outcome), ""]
    lines += _blocks(at.name, findings)
    lines += [labelled("Source", f"{at.name}: endpoint {at.endpoint}, host {at.host}")]
    if at.opens_at is not None:
        when = f"{clock_time(at.opens_at, at.zone)}, in {span(at.opens_at - at.now)}"
        lines.append(labelled("Window opens", when))
    lines += [labelled("Next run" if outcome.is_proven else "Next try", _next_try(at)), ""]
    anchor = runbook.section(outcome, lead.cause if lead else None)
    lines += list(_look(at, anchor, [("Endpoint", at.place.endpoint(at.endpoint))]))
    text = letter([*lines, _foot(at)])
    return Notice(subject(at.place, f"{at.name} {word}: {cause}"), text)


def about_the_end(at: Situation, outcome: Outcome) -> Notice:
    """Return the mail that nothing needs a person any more."""
    lines = [f"{at.name}: {outcome.words}. Nothing needs a person any more.", ""]
    if at.restarted:
        lines.append(labelled("Tasks", _restarted(at)))
    lines += [labelled("Source", f"endpoint {at.endpoint}, host {at.host}"), ""]
    lines += list(_look(at, runbook.FINE, []))
    text = letter([*lines, _foot(at)])
    return Notice(subject(at.place, f"{at.name} is {outcome.words} again"), text)


def about_breaker(at: Situation, limit: int | None) -> Notice:
    """Return the mail that the circuit breaker has opened.

    Args:
        limit: by so many bad ends; ``None``: it could not be read.
    """
    why = f"{limit} changes ended badly within 24 hours, the last one of {at.name}"
    if limit is None:
        why = "another version of Certifier has written the circuit breaker, and this one cannot"
        why += f" read whether it is open; {at.name} waits"
    lines = [
        f"Changes are stopped: {why}. What has begun is finished; no further change begins.",
        "",
        labelled("Look", "certifier status --failing"),
        labelled("Then", "certifier reset-breaker, once you know what they have in common"),
        labelled("Runbook", at.place.runbook(runbook.BREAKER)),
        labelled("Record", at.place.file(at.bucket, f"{at.record}.html")),
        _foot(at),
    ]
    return Notice(subject(at.place, "changes are stopped"), letter(lines))


def about_unreadable(site: Site, name: str, why: str) -> Notice:
    """Return the mail on a source that this version cannot run."""
    lines = [
        f"{name} is not run: {why}. Its endpoint is left as it is, and other sources are not"
        " concerned. It is tried again every hour.",
        "",
        labelled("Then", "deploy the version that wrote it; a SPEC can also be registered again"),
        labelled("Runbook", site.runbook(runbook.NOT_RUN)),
        site.words,
    ]
    return Notice(subject(site, f"{name} cannot be run"), letter(lines))


def about_nothing(site: Site) -> Notice:
    """Return the mail of ``certifier notify-test``."""
    lines = [
        "Notices arrive. Somebody asked for this one with `certifier notify-test`; nothing needs a"
        " person.",
        "",
        site.words,
    ]
    return Notice(subject(site, "a test of the notices"), letter(lines))


def about_undeleted(site: Site, identifier: str, arn: str, why: str) -> Notice:
    """Return the mail on a DMS certificate that nobody uses and that cannot be deleted."""
    lines = [
        f"Nobody has used the DMS certificate {identifier} for a week, and it cannot be deleted:"
        f" {cut(why, _TEXT)}. Nothing depends on it. It is tried again in a week.",
        "",
        labelled("ARN", arn),
        labelled("Runbook", site.runbook(runbook.NOT_DELETED)),
        site.words,
    ]
    return Notice(subject(site, "a DMS certificate cannot be deleted"), letter(lines))


def _first_line(at: Situation, outcome: Outcome) -> str:
    """Return whether replication runs, as far as the run knows."""
    name = at.name
    match outcome:
        case Outcome.REFUSED:
            return f"Nothing was changed for {name}: a check said no. {_restarted(at)}."
        case Outcome.ROLLED_BACK:
            return (
                f"A change to {name} was rolled back: DMS connects with the old settings. "
                f"{_restarted(at)}."
            )
        case Outcome.FAILED:
            return f"{name} needs you: it is not proven that DMS connects. {_restarted(at)}."
        case Outcome.PLANNED:
            return f"Nothing was changed for {name} yet: the change waits. {_restarted(at)}."
        case _:
            return f"{name} is certified: DMS connects. This needs a person all the same."


def _restarted(at: Situation) -> str:
    if at.stopped:
        return f"{counted(len(at.stopped), 'task')} of it do not run"
    if not at.restarted:
        return "No task was stopped"
    longest = (
        ""
        if at.stopped_seconds is None
        else f", after {span(timedelta(seconds=at.stopped_seconds))}"
    )
    run = "runs" if at.restarted == 1 else "run"
    return f"{counted(at.restarted, 'task')} that it stopped {run} again{longest}"


def _change(at: Situation, outcome: Outcome, findings: Sequence[Finding]) -> str:
    trusts = f": DMS connects with {cut(', '.join(at.trusts[:3]), _TEXT)}" if at.trusts else ""
    if outcome.is_proven:
        return f"is done and proven{trusts}"
    if outcome is Outcome.ROLLED_BACK:
        return f"was rolled back{trusts}"
    if any(found.cause is Cause.NOT_ROLLED_BACK for found in findings):
        return "is neither proven nor rolled back: see not_rolled_back"
    return "is not proven: see the findings"


def _next_try(at: Situation) -> str:
    if at.next_due is None:
        return "when somebody asks: certifier certify " + at.name
    due = at.next_due
    day = "" if due.date() == at.now.date() else f"{clock_time(due).rsplit(' ', 2)[0]} "
    left = f", in {span(due - at.now)}" if due > at.now else ", at the next tick of the schedule"
    then = "; then less often, at last hourly" if at.stopped else ""
    return f"{day}{due:%H:%M} UTC{left}{then}"


def _waits_word(at: Situation) -> str:
    return "waits for its window" if at.opens_at is not None else "waits"


def _look(at: Situation, anchor: str, links: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield labelled("Look", f"certifier show {at.name}")
    yield labelled("Runbook", at.place.runbook(anchor))
    for label, address in links:
        yield labelled(label, address)
    yield labelled("Record", at.place.file(at.bucket, f"{at.record}.html"))
    yield labelled("Run", at.place.execution(at.run))


def labelled(label: str, value: str) -> str:
    return f"  {label.ljust(_LABEL - 1)} {value}".rstrip()


def _blocks(name: str, findings: Sequence[Finding]) -> list[str]:
    """Return what was seen, what others said and what to do, for each finding."""
    blocks = []
    for found in repeats_last(findings)[:_FINDINGS]:
        do = of_source(found.remedy, name)
        rows = (("seen", found.seen), ("said", found.raw), ("do", do))
        lines = [f"  {label.ljust(4)}  {cut(text, _TEXT)}" for label, text in rows if text]
        blocks.append("\n".join([f"{found.severity.value}: {found.cause.value}", *lines, ""]))
    shown = fitting(blocks, _BLOCKS)
    lines = [line for block in shown for line in block.split("\n")]
    if len(findings) > len(shown):
        lines += [f"and {counted(len(findings) - len(shown), 'more', 'more')} in the record", ""]
    return lines


def fitting(texts: Sequence[str], room: int) -> list[str]:
    """Return the first of them, at least one, as many as there is room for, in bytes."""
    shown: list[str] = []
    for text in texts:
        room -= size(text) + 2
        if shown and room < 0:
            break
        shown.append(text)
    return shown


def cut(text: str, room: int) -> str:
    """Return a text, or its beginning, printable and in at most so many bytes."""
    text = printable(text, _LINE)
    if size(text) <= room:
        return text
    return text.encode()[: room - 3].decode(errors="ignore") + "..."


def size(text: str) -> int:
    """Return how many bytes are delivered of a text, if all is."""
    return len(text.encode())


def _foot(at: Situation) -> str:
    return f"{at.place.words} · run {at.run.rsplit(':', 1)[-1]} · {at.now:%Y-%m-%d %H:%M} UTC"


def weighty(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings that a mail speaks of: no advice."""
    return tuple(found for found in findings if found.severity is not Severity.ADVICE)
