"""How a run ended, when the source is due again, and who is notified."""

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.certificate.facts import Leaf
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.errors import LAMBDA_UNAVAILABLE, Retryable, concrete
from certifier.evidence import Evidence, LoginFacts, ProbeReport, SlotFacts
from certifier.models import Finding
from certifier.run.documents import (
    Change,
    Configured,
    ConnectionTest,
    ImportedCertificate,
    Material,
    Plan,
    Probed,
    SlotsAfter,
    TaskWork,
    UndoLog,
)
from certifier.run.dossier import Dossier
from certifier.run.due import BACK_OFF, DAY, Waits, next_due, waits_for_window
from certifier.run.ending import Ending, ending
from certifier.run.event import Problem
from certifier.run.notice import attention, notice, notified_from_now_on, retained_wal
from certifier.run.plan import backing_off
from certifier.run.state import BadEnd, Breaker, Pause, SourceState
from certifier.run.summary import failure
from certifier.text import size
from certifier.vocabulary import Cause, Decision, Outcome, SettingsUnderTest, Severity, Witness
from tests.unit.situations import AT, STOPPED, situation

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RUN = "arn:run"
PAUSE = Pause(task_arn="arn:task", sources=("orders",), since=NOW)
LOG = UndoLog(
    endpoint_arn="arn:endpoint",
    endpoint_identifier="orders",
    fields=("ssl_mode",),
    old=EndpointFields(),
    new=EndpointFields(),
    written=None,
)
SENT = LOG.model_copy(update={"written": SettingsUnderTest.OLD, "accepted": True})
CHANGE = {"material": Material(), "plan": Plan(decision=Decision.CHANGE)}
MINE = {**CHANGE, "undo": LOG, "undo_run": RUN}
A_CHANGE = Change(field="ssl_mode", old="verify-ca", new="verify-full")
OK, NOT_OK = ConnectionTest(passed=True), ConnectionTest(passed=False)
ROLLED_BACK = Configured(rolled_back=True, settled=True)
REFUSED = Problem(error="Refused", cause="hostname_mismatch")
BUG = Problem(error="Unexpected", cause="KeyError")


def seen(cause: Cause, severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen="as a test says", severity=severity)


def an_ending(outcome: Outcome, *findings: Finding, **fields: Any) -> Ending:
    return Ending(outcome=outcome, findings=findings, **fields)


@pytest.mark.parametrize(
    ("found", "problem", "outcome", "erased", "counts"),
    [
        # nothing had to change
        (
            {"material": Material(), "plan": Plan(decision=Decision.UNCHANGED), "tested_new": OK},
            None,
            Outcome.CERTIFIED,
            False,
            False,
        ),
        (
            {
                "material": Material(),
                "plan": Plan(decision=Decision.UNCHANGED),
                "tested_new": NOT_OK,
            },
            None,
            Outcome.FAILED,
            False,
            False,
        ),
        ({"plan": Plan(decision=Decision.PLANNED)}, None, Outcome.PLANNED, False, False),
        # the table of rollbacks, row by row
        ({**MINE, "tested_new": OK}, None, Outcome.CERTIFIED, True, False),
        (
            {**MINE, "tested_new": NOT_OK, "rolled_back": ROLLED_BACK, "tested_old": OK},
            None,
            Outcome.ROLLED_BACK,
            True,
            True,
        ),
        (
            {**MINE, "tested_new": NOT_OK, "rolled_back": ROLLED_BACK, "tested_old": NOT_OK},
            None,
            Outcome.FAILED,
            True,
            True,
        ),
        (CHANGE, REFUSED, Outcome.REFUSED, False, False),
        # before anything was written
        ({}, REFUSED, Outcome.REFUSED, False, False),
        ({}, BUG, Outcome.FAILED, False, False),
        ({}, Problem(error="Throttled"), Outcome.FAILED, False, False),
        ({}, None, Outcome.FAILED, False, False),
        # the change itself went wrong
        (
            {**MINE, "undo": SENT, "rolled_back": ROLLED_BACK, "tested_old": OK},
            Problem(error="Refused", cause="not_applied"),
            Outcome.ROLLED_BACK,
            True,
            True,
        ),
        # nothing was written, so nothing was rolled back; unless it does not connect any more
        (
            {**MINE, "rolled_back": ROLLED_BACK, "tested_old": OK},
            Problem(error="Refused", cause="serverless_replication"),
            Outcome.REFUSED,
            True,
            False,
        ),
        (
            {**MINE, "rolled_back": ROLLED_BACK, "tested_old": NOT_OK},
            REFUSED,
            Outcome.FAILED,
            True,
            True,
        ),
        ({**MINE, "rolled_back": ROLLED_BACK, "tested_old": OK}, BUG, Outcome.FAILED, True, True),
        ({**MINE, "rolled_back": ROLLED_BACK}, BUG, Outcome.FAILED, True, True),
        ({**MINE, "tested_new": NOT_OK}, REFUSED, Outcome.FAILED, False, True),
        # a created endpoint is kept, one that others changed is left alone
        (
            {**MINE, "tested_new": NOT_OK, "rolled_back": Configured(settled=True)},
            None,
            Outcome.FAILED,
            True,
            True,
        ),
        ({**MINE, "rolled_back": Configured()}, None, Outcome.FAILED, False, True),
        # refused between the pause and the first write
        ({**CHANGE, "paused": TaskWork()}, REFUSED, Outcome.REFUSED, False, False),
        ({**CHANGE, "paused": TaskWork(tasks=("t",))}, REFUSED, Outcome.REFUSED, False, False),
        ({**CHANGE, "paused": TaskWork(tasks=("t",))}, BUG, Outcome.FAILED, False, True),
        # an earlier run was cut off; its bad end counts
        (
            {"undo": LOG, "undo_run": "arn:other", "tested_new": OK},
            None,
            Outcome.CERTIFIED,
            True,
            False,
        ),
        (
            {
                "undo": LOG,
                "undo_run": "arn:other",
                "tested_new": NOT_OK,
                "rolled_back": ROLLED_BACK,
                "tested_old": OK,
            },
            None,
            Outcome.ROLLED_BACK,
            True,
            True,
        ),
        # proven, then something broke while tasks were resumed
        ({**MINE, "tested_new": OK}, BUG, Outcome.FAILED, True, True),
        # the breaker is open
        (
            {**CHANGE, "paused": TaskWork(findings=(seen(Cause.BREAKER_OPEN),))},
            None,
            Outcome.DEFERRED,
            False,
            False,
        ),
    ],
)
def test_each_way_through_the_workflow_has_its_outcome(
    found: dict[str, Any], problem: Problem | None, outcome: Outcome, erased: bool, counts: bool
) -> None:
    """Outcome, undo log and breaker follow from what the steps left behind."""
    end = ending(Dossier(**found), problem, run=RUN)
    assert (end.outcome, end.erase_undo, end.bad_end is not None) == (outcome, erased, counts)


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        (REFUSED, Cause.HOSTNAME_MISMATCH),
        (Problem(error="Refused", cause="no such word"), Cause.UNEXPECTED),
        (BUG, Cause.UNEXPECTED),
        (Problem(error="Lambda.TooManyRequestsException"), Cause.AWS_UNAVAILABLE),
        (Problem(error="Unavailable", cause="GetItem: timed out"), Cause.AWS_UNAVAILABLE),
        (Problem(error="States.Timeout"), Cause.FUNCTION_CUT_OFF),
        (Problem(error="Runtime.ExitError"), Cause.FUNCTION_CUT_OFF),
        (Problem(error="Unreadable", cause="PAUSE of x"), Cause.SOURCE_INVALID),
        (None, Cause.UNEXPECTED),
    ],
)
def test_a_run_that_did_not_succeed_names_a_cause(problem: Problem | None, cause: Cause) -> None:
    """Even when no step left a finding, the record says what happened."""
    (found,) = ending(Dossier(), problem, run=RUN).findings
    assert found.cause is cause
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    "name", [*(kind.__name__ for kind in concrete(Retryable)), *LAMBDA_UNAVAILABLE]
)
def test_whatever_may_succeed_later_is_put_down_to_aws(name: str) -> None:
    """All that the machine retries because of AWS, and gives up in the end."""
    (found,) = ending(Dossier(), Problem(error=name), run=RUN).findings
    assert found.cause is Cause.AWS_UNAVAILABLE


def test_a_new_kind_of_passing_trouble_is_not_taken_for_a_bug() -> None:
    """Its name is written once, where it is defined."""
    asleep = type("Asleep", (Retryable,), {})
    (found,) = ending(Dossier(), Problem(error="Asleep"), run=RUN).findings
    assert found.cause is Cause.AWS_UNAVAILABLE
    del asleep
    gc.collect()  # a class of no test but this one


def test_a_refusal_that_the_steps_explained_adds_nothing() -> None:
    """The step's own findings stand, each once, in the order of the workflow."""
    first, second = seen(Cause.CERTIFICATE_EXPIRED), seen(Cause.HOSTNAME_MISMATCH)
    found = Dossier(
        material=Material(findings=(first,)),
        probed=Probed(findings=(second,)),
        refusals=(first, second),
    )
    assert ending(found, REFUSED, run=RUN).findings == (first, second)


def test_why_a_change_was_given_up_comes_before_what_came_of_it() -> None:
    """A step refused, and then the old settings did not connect: the first is the cause."""
    why, after = seen(Cause.NOT_APPLIED), seen(Cause.BROKEN_BEFORE)
    found = Dossier(tested_old=ConnectionTest(passed=False, findings=(after,)), refusals=(why,))
    assert found.findings == (why, after)


def test_what_only_the_whole_run_shows_is_added() -> None:
    """A finished earlier run, pending restarts and a canary that stayed are findings of the end."""
    found = Dossier(
        undo=LOG,
        undo_run="arn:other",
        tested_new=OK,
        pauses=(PAUSE,),
        canary_left="certifier-canary-orders",
    )
    causes = [f.cause for f in ending(found, None, run=RUN).findings]
    assert causes == [Cause.INTERRUPTED_RUN_FINISHED, Cause.TASK_NOT_RESTARTED, Cause.CANARY_LEFT]


@pytest.mark.parametrize(
    ("said", "weighs"),
    [
        (Cause.CERTIFICATE_REJECTED, Severity.ERROR),
        (Cause.UNKNOWN_AUTHORITY, Severity.ERROR),
        (Cause.HOSTNAME_MISMATCH, Severity.ADVICE),
        (Cause.PASSWORD_REJECTED, Severity.ADVICE),
    ],
)
def test_roots_that_wait_are_an_error_once_dms_does_not_trust_the_chain(
    said: Cause, weighs: Severity
) -> None:
    """It comes before what DMS says; any other failure has another remedy."""
    found = Dossier(
        plan=Plan(decision=Decision.UNCHANGED, findings=(seen(Cause.GROWTH_WAITS),)),
        tested_new=ConnectionTest(passed=False, findings=(seen(said),)),
    )
    end = ending(found, None, run=RUN)
    assert [(f.cause, f.severity) for f in end.findings] == [
        (Cause.GROWTH_WAITS, weighs),
        (said, Severity.ERROR),
    ]


PAIR = Material(leaf_sha256="new", leaf_pem="PEM")
PAIR_PROVEN = {"material": PAIR, "plan": Plan(decision=Decision.UNCHANGED), "tested_new": OK}
IN_ACM = Leaf(sha256="old")


@pytest.mark.parametrize(
    ("found", "problem", "expected"),
    [
        ({**PAIR_PROVEN, "acm": ImportedCertificate(changed=True)}, None, []),
        (PAIR_PROVEN, None, [Cause.ACM_FAILED]),
        ({**PAIR_PROVEN, "material": Material()}, None, []),
        (
            {**PAIR_PROVEN, "acm_leaf": IN_ACM},
            None,
            [Cause.ACM_FAILED, Cause.ACM_BEHIND],
        ),
        (
            {
                **PAIR_PROVEN,
                "acm_leaf": IN_ACM,
                "acm": ImportedCertificate(findings=(seen(Cause.ACM_QUOTA),)),
            },
            None,
            [Cause.ACM_QUOTA, Cause.ACM_BEHIND],
        ),
        (
            {"material": PAIR, "acm_leaf": IN_ACM},
            REFUSED,
            [Cause.HOSTNAME_MISMATCH, Cause.ACM_BEHIND],
        ),
        ({"material": PAIR, "acm_leaf": Leaf(sha256="new")}, REFUSED, [Cause.HOSTNAME_MISMATCH]),
    ],
)
def test_acm_is_reported_behind_whatever_kept_the_run_from_it(
    found: dict[str, Any], problem: Problem | None, expected: list[Cause]
) -> None:
    """An import that never ended is said as well; where another finding says why, it is advice."""
    got = ending(Dossier(**found), problem, run=RUN).findings
    assert [f.cause for f in got] == expected
    weights = {f.severity for f in got if f.cause is Cause.ACM_BEHIND}
    assert weights <= {Severity.WARNING if problem else Severity.ADVICE}


STATE = SourceState(name="orders")
PENDING = seen(Cause.OVERLAP_PENDING)


@pytest.mark.parametrize(
    ("end", "pending", "opens_at", "wait"),
    [
        (an_ending(Outcome.CERTIFIED), False, None, DAY),
        (an_ending(Outcome.CERTIFIED, PENDING), False, None, timedelta(0)),
        (
            an_ending(Outcome.CERTIFIED, seen(Cause.SERVED_CERTIFICATE_DIFFERS)),
            False,
            None,
            timedelta(0),
        ),
        (
            an_ending(Outcome.CERTIFIED, seen(Cause.CERTIFICATE_EXPIRES_SOON)),
            False,
            None,
            DAY,
        ),
        (an_ending(Outcome.REFUSED, seen(Cause.CONNECTION_REFUSED)), False, None, timedelta(0)),
        (an_ending(Outcome.REFUSED, seen(Cause.NO_PRIVATE_KEY)), False, None, DAY),
        (
            an_ending(Outcome.REFUSED, seen(Cause.DNS_FAILED), seen(Cause.NO_PRIVATE_KEY)),
            False,
            None,
            DAY,
        ),
        (an_ending(Outcome.ROLLED_BACK, seen(Cause.CONNECTION_TIMEOUT)), False, None, DAY),
        (an_ending(Outcome.FAILED), False, None, timedelta(0)),
        (an_ending(Outcome.CERTIFIED), True, None, 10 * MINUTE),
        (an_ending(Outcome.FAILED), True, None, 10 * MINUTE),
        (an_ending(Outcome.PLANNED), True, NOW + MINUTE, 10 * MINUTE),
        (an_ending(Outcome.PLANNED), False, None, DAY),
        (an_ending(Outcome.PLANNED), False, NOW + 90 * MINUTE, 75 * MINUTE),
        (an_ending(Outcome.PLANNED), False, NOW + 5 * MINUTE, timedelta(0)),
        (an_ending(Outcome.PLANNED), False, NOW + 3 * DAY, DAY),
        (an_ending(Outcome.CERTIFIED), False, NOW + 90 * MINUTE, 75 * MINUTE),
        (an_ending(Outcome.CERTIFIED, PENDING), False, NOW + 90 * MINUTE, timedelta(0)),
        (an_ending(Outcome.DEFERRED, held_by_breaker=True), False, None, None),
        (an_ending(Outcome.DEFERRED, held_by_breaker=True), True, None, 10 * MINUTE),
        (
            an_ending(Outcome.CERTIFIED, seen(Cause.INTERRUPTED_RUN_FINISHED), erase_undo=True),
            False,
            None,
            timedelta(0),
        ),
        (
            an_ending(Outcome.FAILED, seen(Cause.INTERRUPTED_RUN_FINISHED)),
            False,
            None,
            timedelta(0),
        ),
    ],
)
def test_the_table_of_due_times(
    end: Ending, pending: bool, opens_at: datetime | None, wait: timedelta | None
) -> None:
    """Each row of the design's table, for a first run."""
    due = next_due(end, STATE, now=NOW, pending_restart=pending, opens_at=opens_at)
    assert due.at == (None if wait is None else NOW + wait)


def test_the_back_off_goes_from_the_next_tick_to_daily() -> None:
    """The next tick, 15 and 60 minutes, hourly for a day, then daily."""
    state, waits = STATE, []
    for _ in range(30):
        due = next_due(an_ending(Outcome.FAILED), state, now=NOW, pending_restart=False)
        assert due.at is not None
        waits.append((due.at - NOW) // MINUTE)
        state = STATE.model_copy(update={"reason": due.reason, "backoff": due.backoff})
    assert waits == [0, 15, 60, *[60] * 24, 1440, 1440, 1440]
    assert len(BACK_OFF) == 27


def test_the_same_change_is_not_made_again_soon_after_a_bad_end() -> None:
    """Refused after a stop, or rolled back: an hour, four, twelve, then a day; another at once."""
    found = Dossier(
        plan=Plan(decision=Decision.CHANGE, changes=(A_CHANGE,)),
        paused=TaskWork(tasks=("t",)),
        refusals=(seen(Cause.CHANGED_MEANWHILE),),
    )
    problem = Problem(error="Refused", cause=Cause.CHANGED_MEANWHILE)
    end = ending(found, problem, run=RUN)
    assert (end.outcome, end.ended_badly) == (Outcome.REFUSED, True)
    state, plan = STATE, found.plan
    assert plan is not None
    for hours in (1, 4, 12, 24, 24):
        due = next_due(end, state, now=NOW, pending_restart=False, change=found.change)
        after = NOW + timedelta(hours=hours)
        assert (due.at, due.change_after) == (after, after)
        assert backing_off(plan, found.change, after, NOW).decision is Decision.PLANNED
        assert backing_off(plan, found.change, after, after) == plan
        assert backing_off(plan, "another", after, NOW) == plan
        state = STATE.model_copy(
            update={"bad_change": found.change, "bad_changes": due.bad_changes}
        )
    another = next_due(end, state, now=NOW, pending_restart=False, change="another")
    assert another.change_after == NOW + timedelta(hours=1)


def test_a_task_that_waits_for_a_restart_is_tried_ever_less_often() -> None:
    """Each time it fails it costs the server; an hour is the longest."""
    state, waits = STATE, []
    for _ in range(7):
        due = next_due(an_ending(Outcome.CERTIFIED), state, now=NOW, pending_restart=True)
        assert due.at is not None
        waits.append((due.at - NOW) // MINUTE)
        state = STATE.model_copy(update={"restart_tries": due.restart_tries})
    assert waits == [10, 10, 10, 20, 40, 60, 60]


def test_a_change_that_is_not_finished_comes_back_soon() -> None:
    """Also when its window is closed: the log is tried before everything else."""
    end = an_ending(Outcome.PLANNED, unfinished=True)
    due = next_due(end, STATE, now=NOW, pending_restart=False, opens_at=NOW + DAY)
    assert due.at == NOW


def test_a_task_stopped_for_another_source_is_reported() -> None:
    """Whoever looks at an endpoint says that a task on it is stopped, whosever stop it was."""
    found = Dossier(material=Material(), tested_new=OK, others_pauses=(PAUSE,))
    end = ending(found, None, run=RUN)
    assert end.outcome is Outcome.CERTIFIED
    (reported,) = (f for f in end.findings if f.cause is Cause.TASK_NOT_RESTARTED)
    assert "stopped for orders" in reported.seen


def test_a_deferred_run_says_which_tasks_wait_once() -> None:
    """A task that a killed run had stopped, while the breaker was open: somebody is notified."""
    end = an_ending(Outcome.DEFERRED, seen(Cause.BREAKER_OPEN))
    needs = attention(end, pending_restarts=("arn:task",), waiting_since=None, now=NOW)
    assert notice(AT, end, needs=needs, notified={}, now=NOW) is not None
    known = dict.fromkeys(needs, NOW)
    assert notice(AT, end, needs=needs, notified=known, now=NOW) is None
    none = attention(end, pending_restarts=(), waiting_since=None, now=NOW)
    assert notice(AT, end, needs=none, notified={}, now=NOW) is None


def test_a_change_that_waits_after_a_bad_end_needs_no_notice() -> None:
    """What people were notified of the bad end is still so; a task that waits since is new."""
    waits = an_ending(Outcome.PLANNED, seen(Cause.CHANGE_BACKS_OFF))
    known = {"failed": NOW, "not_applied!": NOW}
    assert notice(AT, waits, needs=(), notified=known, now=NOW) is None
    assert notified_from_now_on(waits, (), known, sent=False, now=NOW) == known
    new = ("pending_restart:arn:task",)
    assert notice(AT, waits, needs=new, notified=known, now=NOW) is not None
    assert new[0] in notified_from_now_on(waits, new, known, sent=True, now=NOW)


def test_another_reason_begins_the_back_off_anew() -> None:
    """What is new is looked at again soon, however long the last trouble took."""
    worn = STATE.model_copy(update={"reason": "failed", "backoff": 20})
    due = next_due(an_ending(Outcome.CERTIFIED, PENDING), worn, now=NOW, pending_restart=False)
    assert (due.at, due.backoff, due.reason) == (NOW, 1, "certified overlap_pending")
    clear = next_due(an_ending(Outcome.CERTIFIED), worn, now=NOW, pending_restart=False)
    assert (clear.backoff, clear.reason, clear.waiting_since) == (0, "", None)


def test_a_pending_restart_does_not_disturb_the_back_off() -> None:
    """Ten-minute runs for a pending restart are not further failures of the source."""
    worn = STATE.model_copy(update={"reason": "failed", "backoff": 20})
    due = next_due(an_ending(Outcome.FAILED), worn, now=NOW, pending_restart=True)
    assert (due.reason, due.backoff) == ("failed", 20)


def test_what_may_clear_by_itself_keeps_its_first_date() -> None:
    """The week until a person is notified begins with the first run that saw it."""
    first = next_due(an_ending(Outcome.CERTIFIED, PENDING), STATE, now=NOW, pending_restart=False)
    state = STATE.model_copy(update={"waiting_since": first.waiting_since})
    later = next_due(
        an_ending(Outcome.CERTIFIED, PENDING), state, now=NOW + DAY, pending_restart=False
    )
    assert first.waiting_since == later.waiting_since == NOW


@pytest.mark.parametrize(
    ("end", "days", "pending", "needs"),
    [
        (an_ending(Outcome.CERTIFIED), 0, (), ""),
        (an_ending(Outcome.CERTIFIED, PENDING), 6, (), ""),
        (an_ending(Outcome.CERTIFIED, PENDING), 7, (), "overlap_pending"),
        (an_ending(Outcome.CERTIFIED, seen(Cause.MODE_COULD_BE_RAISED)), 0, (), ""),
        (an_ending(Outcome.CERTIFIED, seen(Cause.REHEARSED_BY_PROBE_ONLY)), 0, (), ""),
        (
            an_ending(Outcome.CERTIFIED, seen(Cause.CERTIFICATE_EXPIRES_SOON)),
            0,
            (),
            "certificate_expires_soon",
        ),
        (an_ending(Outcome.CERTIFIED), 0, ("t2", "t1"), "pending_restart:t1 pending_restart:t2"),
        (
            an_ending(Outcome.REFUSED, seen(Cause.DNS_FAILED), seen(Cause.DNS_FAILED)),
            0,
            (),
            "refused dns_failed!",
        ),
    ],
)
def test_what_needs_a_person(end: Ending, days: int, pending: tuple[str, ...], needs: str) -> None:
    """Errors and pending restarts at once; what may clear by itself after a week; advice never."""
    since = NOW - timedelta(days=days)
    got = attention(end, pending_restarts=pending, waiting_since=since, now=NOW)
    assert " ".join(got) == needs


def test_a_person_is_notified_once_and_when_it_is_over() -> None:
    """The same trouble is notified once, another one again, and its end too."""
    bad = an_ending(Outcome.REFUSED, seen(Cause.HOSTNAME_MISMATCH), seen(Cause.CHAIN_REPAIRED))
    needs = attention(bad, pending_restarts=(), waiting_since=None, now=NOW)
    got = notice(AT, bad, needs=needs, notified={}, now=NOW)
    assert got is not None
    assert got.subject == "Certifier eu-west-1: orders refused: hostname_mismatch"
    assert "records/orders/" in got.message.replace("%2F", "/")
    assert "chain_repaired" not in got.message
    known = dict.fromkeys(needs, NOW)
    assert notice(AT, bad, needs=needs, notified=known, now=NOW) is None
    good = an_ending(Outcome.CERTIFIED)
    over = notice(AT, good, needs=(), notified=known, now=NOW)
    assert over is not None
    assert over.subject == "Certifier eu-west-1: orders is certified again"
    assert notice(AT, good, needs=(), notified={}, now=NOW) is None
    soon = {"certificate_expires_soon": NOW}
    assert notice(AT, good, needs=(), notified=soon, now=NOW) is None
    deferred = an_ending(Outcome.DEFERRED)
    assert notice(AT, deferred, needs=("x",), notified={}, now=NOW) is None
    stopped = situation(stopped=(STOPPED,), wal=("s retains 12 MB",))
    got = notice(stopped, good, needs=("pending_restart:t",), notified={}, now=NOW)
    assert got is not None
    assert "  WAL          s retains 12 MB\n" in got.message


def slot(name: str, retained: int | None, status: str | None = "reserved") -> SlotFacts:
    return SlotFacts(name=name, active=False, retained_bytes=retained, wal_status=status)


MEGABYTE = 1024 * 1024


def seen_by_probe(slots: tuple[SlotFacts, ...] | None) -> Probed:
    """What the probe leaves when it has looked at the slots, as far as it matters here."""
    login: dict[str, Any] = {"slots": slots}
    evidence: dict[str, Any] = {"login": LoginFacts.model_construct(**login)}
    report: dict[str, Any] = {"evidence": Evidence.model_construct(**evidence)}
    return Probed(report=ProbeReport.model_construct(**report))


@pytest.mark.parametrize(
    ("slots", "again", "said"),
    [
        (None, None, "was not seen"),
        ((), None, "has no replication slot"),
        ((slot("s", 3 * MEGABYTE),), None, "s retains 3.0 MB, 2.0 MB more than before the stop"),
        ((slot("s", 1),), (slot("s", 2 * MEGABYTE),), "s retains 2.0 MB, 1.0 MB more than"),
        ((slot("s", 1),), (), "has no replication slot"),
        ((slot("s", 512),), None, "s retains 512 bytes, 0 bytes more than"),
        ((slot("new", MEGABYTE),), None, "new retains 1.0 MB"),
        ((slot("s", None, "lost"),), None, "s retains no WAL (lost)"),
        ((slot("new", 0, "unreserved"),), None, "new retains 0 bytes (unreserved)"),
        ((SlotFacts(name="s", active=True, retained_bytes=1),), None, "has no replication slot"),
    ],
)
def test_what_pending_restarts_let_the_server_keep(
    slots: tuple[SlotFacts, ...] | None, again: tuple[SlotFacts, ...] | None, said: str
) -> None:
    """The latest look counts; growth is since the first pause that still waits for a restart."""
    later = {"since": NOW + MINUTE, "retained": {"s": 2 * MEGABYTE}}
    pauses = (
        PAUSE.model_copy(update=later),
        PAUSE.model_copy(update={"retained": {"s": MEGABYTE}}),
    )
    found: dict[str, Any] = {"probed": seen_by_probe(slots), "slots_after": SlotsAfter(slots=again)}
    assert said in "\n".join(retained_wal(Dossier(pauses=pauses, **found)))
    assert retained_wal(Dossier(**found)) == ()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 kB"),
        (40 * 1024**3, "40.0 GB"),
        (5 * 1024**5, "5120.0 TB"),
    ],
)
def test_sizes_are_in_the_units_of_postgresql(count: int, text: str) -> None:
    """As `pg_size_pretty` names them: 1 kB is 1024 bytes."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ("", ""),
        ("hostname_mismatch", "hostname_mismatch"),
        ('{"errorMessage": "hostname_mismatch", "errorType": "Refused"}', "hostname_mismatch"),
        ('{"errorMessage":"a \\"b\\"\\u00e9","stackTrace":["x', 'a "b"é'),
        ('{"errorMessage":"cut off he', "cut off he"),
        ('{"errorMessage":"bell \\u0007"}', "bell \\x07"),
        ('{"errorType": "Refused"}', '{"errorType": "Refused"}'),
    ],
)
def test_the_text_of_a_problem_is_unwrapped(cause: str, text: str) -> None:
    """Lambda's JSON around a message goes, also when the machine has cut it in the middle."""
    assert Problem(error="Refused", cause=cause).cause == text


@pytest.mark.parametrize(
    ("outcomes", "direct", "planned", "problem", "text"),
    [
        ({"a": Outcome.CERTIFIED}, True, False, None, ""),
        ({"a": Outcome.PLANNED}, True, True, None, ""),
        (
            {"b": Outcome.PLANNED, "a": Outcome.FAILED, "c": Outcome.CERTIFIED},
            True,
            False,
            None,
            "a: failed; b: planned (window_closed)",
        ),
        ({"a": Outcome.REFUSED}, False, False, None, ""),
        ({"a": Outcome.FAILED}, False, False, None, ""),
        ({}, False, False, Problem(error="Unexpected", cause="KeyError"), "Unexpected: KeyError"),
    ],
)
def test_a_direct_start_fails_for_every_source_that_is_not_certified(
    outcomes: dict[str, Outcome],
    direct: bool,
    planned: bool,
    problem: Problem | None,
    text: str,
) -> None:
    """Schedule and events succeed when the machinery worked; a pipeline wants its sources."""
    reasons = {"b": "window_closed"}
    got = failure(outcomes, direct=direct, planned=planned, problem=problem, reasons=reasons)
    assert got == text


def test_the_cause_of_a_failure_stays_short() -> None:
    """Of a thousand sources, twenty are named and the rest are counted."""
    outcomes = {f"s{i:04d}": Outcome.FAILED for i in range(1000)}
    got = failure(outcomes, direct=True, planned=False, problem=None, reasons={})
    assert got.endswith("; and 980 more")
    assert len(got) < 1000


def test_the_breaker_opens_at_its_limit_and_counts_a_run_once() -> None:
    """Only ends of the last 24 hours count; the run that opened it is remembered."""
    breaker = Breaker()
    for i, hours in enumerate((0, 24, 25, 26)):
        end = BadEnd(at=NOW + timedelta(hours=hours), source=f"s{i}", run=f"r{i}")
        breaker = breaker.after(breaker_end := end, limit=3)
        assert breaker.after(breaker_end, limit=3) == breaker
    assert breaker.open_since == NOW + timedelta(hours=26)
    assert breaker.opened_by == "r3"
    later = breaker.after(BadEnd(at=NOW + 2 * DAY, source="s", run="r9"), limit=3)
    assert (later.opened_by, later.open_since) == ("r3", breaker.open_since)


@pytest.mark.parametrize(
    ("outcome", "state", "opens_at", "waits"),
    [
        (Outcome.PLANNED, {}, NOW + DAY, Waits(NOW + DAY, 0)),
        (Outcome.PLANNED, {"opens_at": NOW + DAY}, NOW + DAY, Waits(NOW + DAY, 0)),
        (Outcome.PLANNED, {"opens_at": NOW - DAY}, NOW + DAY, Waits(NOW + DAY, 1)),
        (
            Outcome.PLANNED,
            {"opens_at": NOW - DAY, "missed_windows": 1},
            NOW + DAY,
            Waits(NOW + DAY, 2),
        ),
        (Outcome.REFUSED, {"opens_at": NOW - DAY, "missed_windows": 1}, None, Waits(NOW - DAY, 1)),
        (Outcome.PLANNED, {}, None, Waits()),
        (Outcome.CERTIFIED, {"opens_at": NOW - DAY, "missed_windows": 5}, None, Waits()),
    ],
)
def test_which_windows_a_change_has_missed(
    outcome: Outcome, state: dict[str, Any], opens_at: datetime | None, waits: Waits
) -> None:
    """One that has passed without the change; a certified source waits for none."""
    before = STATE.model_copy(update=state)
    assert waits_for_window(outcome, before, opens_at=opens_at, now=NOW) == waits


def test_a_window_that_was_missed_twice_is_a_finding() -> None:
    """Once may be chance."""
    assert Waits(NOW, 1).finding is None
    found = Waits(NOW, 2).finding
    assert found is not None
    assert found.cause is Cause.WINDOW_MISSED
