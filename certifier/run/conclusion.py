"""What Record certification concludes from a run: its end, when it goes on, whom that concerns.

Pure. The step gathers the documents, asks for the conclusion, then for the message, has it sent,
and records what came of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from certifier.models import Finding, Policy
from certifier.run.carryover import anchors, events
from certifier.run.digest import SHARED, may_wait
from certifier.run.dossier import Dossier
from certifier.run.due import Due, Waits, next_due, waits_for_window
from certifier.run.ending import Ending
from certifier.run.event import RecordEvent
from certifier.run.mail import Notice, Situation
from certifier.run.notice import (
    attention,
    expiry_words,
    new_events,
    notice,
    notified_from_now_on,
    unreported,
)
from certifier.run.record import expiries
from certifier.run.state import SourceState


@dataclass(frozen=True)
class Conclusion:
    """How a run ended, with what only the whole of it shows.

    Attributes:
        end: with the findings of a missed window, and of what expires.
        needs: what needs a person (``attention``).
        new: the events of which nobody has been notified yet.
    """

    end: Ending
    waits: Waits
    due: Due
    needs: tuple[str, ...]
    new: tuple[Finding, ...]


def conclude(
    event: RecordEvent,
    end: Ending,
    dossier: Dossier,
    state: SourceState,
    *,
    policy: Policy,
    now: datetime,
) -> Conclusion:
    """Return what is to be recorded of a run.

    Args:
        end: as the documents alone show it (``ending``).
        state: the source as it was before the run.
    """
    opens_at = dossier.plan.opens_at if dossier.plan else None
    waits = waits_for_window(end.outcome, state, opens_at=opens_at, now=now)
    end = with_findings(end, waits.finding)
    expiring = expiries(dossier)
    soon = unreported(expiring, end.findings, warning_days=policy.warning_days, now=now)
    end = with_findings(end, *soon)
    window = event.source.spec.window
    due = next_due(
        end,
        state,
        now=now,
        pending_restart=bool(dossier.pending_restarts),
        opens_at=window.next_opening(now) if window and end.unfinished else opens_at,
        change=dossier.change,
    )
    needs = attention(
        end,
        pending_restarts=dossier.pending_restarts,
        waiting_since=due.waiting_since,
        now=now,
        expiries=expiry_words(expiring, warning_days=policy.warning_days, now=now),
    )
    new = new_events(end.findings, state, event.source.version)
    return Conclusion(end=end, waits=waits, due=due, needs=needs, new=new)


@dataclass(frozen=True)
class Message:
    """The notice that is due now, and what the table learns when it has gone out.

    Attributes:
        notice: ``None``: nothing has changed for people.
        shared: it may be one of many, and is left to the mail of the whole execution.
        notified: of what people have been notified then, and when.
        kept: the known CAs and events, as fields of the state.
    """

    notice: Notice | None
    shared: bool
    notified: Mapping[str, datetime]
    kept: Mapping[str, Any]
    new: tuple[Finding, ...]


def message(
    event: RecordEvent,
    at: Situation,
    decided: Conclusion,
    dossier: Dossier,
    state: SourceState,
    *,
    now: datetime,
) -> Message:
    """Return what people are notified of now."""
    due = notice(
        at, decided.end, needs=decided.needs, notified=state.notified, now=now, events=decided.new
    )
    sent = due is not None
    notified = notified_from_now_on(decided.end, decided.needs, state.notified, sent=sent, now=now)
    return Message(
        notice=due,
        shared=sent and event.sources > SHARED and may_wait(at, decided.end),
        notified=notified,
        kept=anchors(dossier, state, now) | events(state, decided.new, event.source.version),
        new=decided.new,
    )


def learnt(sent: Message, state: SourceState, *, out: bool) -> dict[str, Any]:
    """Return the fields of the state that say of what people have been notified.

    Args:
        out: nothing keeps the notice back. One that waits for others, or that was refused, is made
            again by the next run, or completed by Report.
    """
    notified = dict(sent.notified) if out else dict(state.notified)
    kept: Mapping[str, Any] = sent.kept
    if not out or (sent.new and sent.notice is None):
        kept = {"unsent": sent.new} if sent.new else {}
    return {**kept, "notified": notified or None}


def with_findings(end: Ending, *found: Finding | None) -> Ending:
    """Return an end with more findings, as far as there are any."""
    more = tuple(each for each in found if each is not None)
    return replace(end, findings=(*end.findings, *more)) if more else end
