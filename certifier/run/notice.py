"""Who must be notified of what: only of what has changed for a person."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from certifier.certificate import Expiring
from certifier.diagnosis import finding
from certifier.evidence import SlotFacts
from certifier.models import Finding, errors_first
from certifier.run.dossier import Dossier
from certifier.run.due import may_clear_by_itself
from certifier.run.ending import Ending, _has
from certifier.run.mail import (
    Notice,
    Situation,
    about_findings,
    about_stopped,
    about_the_end,
    weighty,
)
from certifier.run.settled import still_open
from certifier.run.state import SourceState
from certifier.run.weakening import event_key, is_event
from certifier.text import size
from certifier.vocabulary import Cause, Outcome, Severity, Witness

PATIENCE = timedelta(days=7)
"""How long something that may clear by itself lasts before a person is notified."""

REPEAT = timedelta(days=7)
"""How long after a notice people are notified again of what has not changed since."""

REMEMBERED = timedelta(days=1)
"""How long after a notice what went away and came back is not yet news."""

_PENDING = "pending_restart:"


BAD = frozenset({Outcome.TASK_STOPPED, Outcome.REFUSED, Outcome.ROLLED_BACK, Outcome.FAILED})
"""Outcomes that need a person, or at least one that knows."""


_OF_ONE_RUN = frozenset({Cause.REHEARSED_BY_PROBE_ONLY, Cause.CA_EXPIRED_DROPPED})
"""Warnings that say how a run went, not how the source is: nobody is woken for them."""


def attention(
    end: Ending,
    *,
    pending_restarts: tuple[str, ...],
    waiting_since: datetime | None,
    now: datetime,
    expiries: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return what needs a person, as words that stay while nothing changes.

    Errors, and warnings that do not clear by themselves, at once; warnings that may, after a week;
    tasks waiting for a restart always. Events are not among them: they do not last.

    Args:
        expiries: what expires soon, in words that change as it comes nearer (``expiry_words``);
            they take the place of ``certificate_expires_soon``.
    """
    patient = waiting_since is not None and now - waiting_since >= PATIENCE
    parts = [end.outcome.value] if end.outcome in BAD else []
    if expiries:
        findings = [f for f in end.findings if f.cause is not Cause.CERTIFICATE_EXPIRES_SOON]
    else:
        findings = list(end.findings)
    parts += sorted(
        {
            _word(found)
            for found in findings
            if found.severity is Severity.ERROR
            or (
                found.severity is Severity.WARNING
                and not is_event(found)
                and found.cause not in _OF_ONE_RUN
                and (patient or not may_clear_by_itself(found))
            )
        }
    )
    waiting = [f"{_PENDING}{task}" for task in sorted(pending_restarts)]
    return (*parts, *sorted(expiries), *waiting)


def _word(found: Finding) -> str:
    """Return a cause as a word; one that has become an error is another word."""
    weighs = "!" if found.severity is Severity.ERROR else ""
    return f"{found.cause.value}{weighs}"


def expiry_words(
    expiring: Iterable[Expiring], *, warning_days: int, now: datetime
) -> tuple[str, ...]:
    """Return a word for each certificate whose warning window is open, and how near its end is."""
    steps = ((one, one.life.step(now, warning_days)) for one in expiring)
    words = (
        f"expires:{one.role.name.lower()}:{one.not_after:%Y%m%d}:{step}"
        for one, step in steps
        if step is not None
    )
    return tuple(dict.fromkeys(words))


def new_events(
    findings: Iterable[Finding], state: SourceState, version: int
) -> tuple[Finding, ...]:
    """Return the events of which nobody has been notified, each once: this run's and older ones."""
    new = [f for f in findings if is_event(f) and event_key(f, version) not in state.events]
    return tuple(dict.fromkeys((*state.unsent, *new)))


def unreported(
    expiring: Iterable[Expiring], findings: Iterable[Finding], *, warning_days: int, now: datetime
) -> tuple[Finding, ...]:
    """Return findings of what expires soon and no step has reported, such as the copy in ACM."""
    known = [f.seen for f in findings if f.cause is Cause.CERTIFICATE_EXPIRES_SOON]
    found = []
    for one in expiring:
        says = f"{one.title} expires on {one.not_after:%Y-%m-%d %H:%M} UTC"
        soon = one.not_after >= now and one.life.expires_soon(now, warning_days)
        if soon and not any(says in each for each in known):
            seen = f"{one.role.value} {says}, in {one.days_left(now)} days"
            place = Witness.WORKFLOW
            found.append(finding(Cause.CERTIFICATE_EXPIRES_SOON, place=place, seen=seen))
    return tuple(found)


Notified = Mapping[str, datetime]
"""When people were last notified of what needs them, by its word (``attention``)."""


def news(needs: Iterable[str], notified: Notified, now: datetime) -> frozenset[str]:
    """Return of what people have to be notified now: of what is new, and again after a week."""
    return frozenset(
        word for word in needs if word not in notified or now - notified[word] >= REPEAT
    )


def is_quiet(end: Ending, needs: Iterable[str], notified: Notified, now: datetime) -> bool:
    """Whether this end says nothing new of the source: others have it, or a change only waits."""
    waits = end.outcome is Outcome.DEFERRED or _has(end.findings, Cause.CHANGE_BACKS_OFF)
    return waits and not any(word.startswith(_PENDING) for word in news(needs, notified, now))


def notified_from_now_on(
    end: Ending, needs: tuple[str, ...], notified: Notified, *, sent: bool, now: datetime
) -> dict[str, datetime]:
    """Return of what people have been notified, after this run.

    What comes back within a day is not news, so that what comes and goes is mailed once a day. But
    a source that was said to be well again begins anew, and so does a task that is stopped again.

    Args:
        sent: whether a notice went out, which lists all that needs a person.
    """
    if is_quiet(end, needs, notified, now):
        return dict(notified)
    here = {word: now if sent else notified.get(word, now) for word in needs}
    if _is_over(needs, notified):
        return here
    gone = {
        word: at
        for word, at in notified.items()
        if word not in here and not word.startswith(_PENDING) and now - at < REMEMBERED
    }
    return gone | here


def _is_bad(words: Iterable[str]) -> bool:
    """Whether these words are those of a source that is not well."""
    bad = {outcome.value for outcome in BAD}
    return any(word in bad or word.startswith(_PENDING) for word in words)


def _is_over(needs: Iterable[str], notified: Notified) -> bool:
    """Whether people believe that a source is not well which is well again."""
    return _is_bad(notified) and not _is_bad(needs)


def retained_wal(found: Dossier) -> tuple[str, ...]:
    """Return what the server keeps because of pending restarts, a line for each slot.

    Nothing says which slot is a task's: those that nobody reads from are named.
    """
    if not found.pending_restarts:
        return ()
    slots = found.slots
    if slots is None:
        return ("how much the server keeps for its replication slots was not seen",)
    lines = [_kept(slot, found.retained_before) for slot in slots if not slot.active]
    return tuple(lines) or ("the server has no replication slot that nobody reads from",)


def _kept(slot: SlotFacts, before: Mapping[str, int]) -> str:
    """Return a line on one slot; its status, where the server may drop that WAL or has."""
    status = "" if slot.wal_status in (None, "reserved") else f" ({slot.wal_status})"
    if slot.retained_bytes is None:
        return f"{slot.name} retains no WAL{status}"
    grown = ""
    if (then := before.get(slot.name)) is not None:
        grown = f", {size(max(slot.retained_bytes - then, 0))} more than before the stop"
    return f"{slot.name} retains {size(slot.retained_bytes)}{grown}{status}"


def _later(found: Finding) -> bool:
    """Whether a mail may speak of it later: first comes what an endpoint is left in."""
    return found.cause is not Cause.NOT_ROLLED_BACK


def notice(
    at: Situation,
    end: Ending,
    *,
    needs: tuple[str, ...],
    notified: Notified,
    now: datetime,
    events: tuple[Finding, ...] = (),
) -> Notice | None:
    """Return the notice for people now; ``None`` when nothing has changed for them.

    Args:
        needs: what needs a person now (``attention``).
        notified: of what people have been notified, and when.
        events: of which nobody has been notified yet (``new_events``).
    """
    quiet = is_quiet(end, needs, notified, now)
    fresh = frozenset() if quiet else news(needs, notified, now)
    over = not quiet and _is_over(needs, notified)
    if not (fresh or over or events) or (quiet and end.outcome is Outcome.DEFERRED):
        return None
    if over and not needs and not events:
        return about_the_end(at, end.outcome)
    earlier = [event for event in events if event not in end.findings]
    findings = list(weighty((*still_open(end.findings, end.settled), *earlier)))
    alone = not fresh  # then events are why anybody is notified; otherwise they come last
    findings = list(errors_first(findings))
    findings.sort(key=lambda f: (f.severity.weight, _later(f), (f in events) is not alone))
    if at.stopped and not alone:
        mail = about_stopped(at, end.outcome, findings)
    else:
        mail = about_findings(at, end.outcome, findings)
    return replace(mail, about=tuple(findings))
