"""Every way through the state machine, with stub steps: exact states and inputs."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from certifier.errors import (
    LAMBDA_UNAVAILABLE,
    ClaimLost,
    InvalidEvent,
    Refused,
    Retryable,
    Unexpected,
    concrete,
)
from certifier.vocabulary import Cause
from sandbox.aws import Cloud, Execution, LambdaFault
from tests.days import some

# ---------------------------------------------------------------------- stubs that follow a script

CLAIM, READ, PROBE, PLAN = "Claim source", "Read material", "Probe TLS", "Plan changes"
IMPORT_CA, REHEARSE, PAUSE, CONFIGURE = "Import CA", "Rehearse", "Pause tasks", "Configure endpoint"
TEST, ROLLED_BACK, TEST_OLD = "Test connection", "Roll back endpoint", "Test rolled-back settings"
PAUSE_BACK = "Pause for rollback"
RESUME, LOOK, ACM = "Resume tasks", "Read replication slots", "Import certificate"
RECORD = "Record certification"
SELECT, TIDY, REPORT = "Select sources", "Tidy", "Report"
REGISTER = "Register sources"

STEPS = {
    "register_sources": REGISTER,
    "select_sources": SELECT,
    "claim_source": CLAIM,
    "read_material": READ,
    "probe_tls": PROBE,
    "plan_changes": PLAN,
    "import_ca": IMPORT_CA,
    "rehearse_changes": REHEARSE,
    "pause_tasks": PAUSE,
    "configure_endpoint": CONFIGURE,
    "test_connection": TEST,
    "resume_tasks": RESUME,
    "import_certificate": ACM,
    "record_certification": RECORD,
    "tidy": TIDY,
    "report": REPORT,
}
DONE = {"done": True}
GOOD: Mapping[str, Any] = {
    CLAIM: {"claimed": True, "tail": False, "paused": False},
    READ: {},
    PROBE: {},
    PLAN: {"decision": "change"},
    IMPORT_CA: {},
    REHEARSE: DONE,
    PAUSE: {"done": True, "not_now": False},
    CONFIGURE: {"done": True, "rolled_back": False},
    PAUSE_BACK: {"done": True, "paused": False},
    TEST: {"done": True, "passed": True},
    ROLLED_BACK: {"done": True, "rolled_back": True},
    TEST_OLD: {"done": True, "passed": True},
    RESUME: DONE,
    LOOK: {},
    ACM: {},
    RECORD: {"outcome": "certified"},
    TIDY: {},
    REPORT: {"failed": False, "cause": "", "answer": {"counts": {"certified": 1}}},
    REGISTER: {"accepted": True, "onboarded": "x", "problems": ""},
}
SOURCE = {"name": "orders", "spec": {"host": "db"}, "version": 3}

NOTHING: Mapping[str, Any] = {"counts": {}, "sources": [], "report": None}

Answer = Mapping[str, Any] | Exception | Callable[[dict[str, Any]], Any]


class Script:
    """What each state answers, and the input that it had."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.answers: dict[str, Answer] = {}
        self.sources: list[Mapping[str, Any]] = [SOURCE]
        self.inputs: list[tuple[str, dict[str, Any]]] = []

    def run(self) -> Execution:
        """Run over the sources."""
        return self.cloud.run({"names": ["orders"]})

    def child(self, answers: Mapping[str, Answer]) -> Execution:
        """Run over one source and return its child."""
        self.answers = dict(answers)
        (child,) = self.cloud.run({"names": ["orders"]}).children
        return child

    def events(self, state: str) -> list[dict[str, Any]]:
        """The input of a state, call by call."""
        return [event for name, event in self.inputs if name == state]

    def answer(self, step: str, event: dict[str, Any]) -> Any:
        state = STEPS[step]
        if event.get("action") == "roll_back":
            state = PAUSE_BACK if state == PAUSE else ROLLED_BACK
        if event.get("settings") == "old":
            state = TEST_OLD
        if event.get("again"):
            state = LOOK
        self.inputs.append((state, event))
        if state == SELECT and SELECT not in self.answers:
            return self.select()
        answer = self.answers.get(state, GOOD.get(state))
        if isinstance(answer, Exception):
            raise answer
        return answer(event) if callable(answer) else answer

    def select(self) -> dict[str, Any]:
        self.cloud.client("s3").put_object(
            Bucket=self.cloud.bucket, Key="manifest.json", Body=json.dumps(self.sources)
        )
        return {
            "count": len(self.sources),
            "bucket": self.cloud.bucket,
            "key": "manifest.json",
            "mode": "apply",
            "origin": "direct",
        }


@pytest.fixture(scope="module")
def stub_cloud() -> Iterator[Cloud]:
    """The app with a stub for every step. Ten rounds are ten minutes."""
    scripts: list[Script] = []

    def stub(step: str) -> Callable[[dict[str, Any], Any], Any]:
        return lambda event, _: scripts[-1].answer(step, event)

    stubs = {step: stub(step) for step in STEPS}
    with Cloud.start(handlers=stubs, settings={"poll_seconds": 60}) as cloud:
        cloud.scripts = scripts  # type: ignore[attr-defined]
        yield cloud


@pytest.fixture
def script(stub_cloud: Cloud) -> Iterator[Script]:
    """A script of its own; afterwards, no child of the test has passed a pause without Resume."""
    made, before = Script(stub_cloud), len(stub_cloud.executions)
    stub_cloud.scripts.append(made)  # type: ignore[attr-defined]
    yield made
    for execution in stub_cloud.executions[before:]:
        states = execution.states
        if PAUSE in states and RECORD in states:
            assert RESUME in states[states.index(PAUSE) : states.index(RECORD)]


def polled(name: str, rounds: int = 1) -> list[str]:
    """The states of a loop that takes so many rounds."""
    once = [name, f"{name}: done?"]
    return once + [f"{name}: wait", *once] * (rounds - 1)


BEGIN = [CLAIM, "Claimed?"]
TO_PLAN = [*BEGIN, READ, PROBE, PLAN, "Decided?"]
CHANGE = [*TO_PLAN, IMPORT_CA, *polled(REHEARSE), *polled(PAUSE), *polled(CONFIGURE)]
TESTED = [*CHANGE, *polled(TEST)]
END = [RECORD]
LEAVE = ["Paused?", *END]
LOOKED = [LOOK, "Proven?"]
RESUMED = [*polled(RESUME), *LOOKED]
LEAVE_PAUSED = ["Paused?", *RESUMED, *END]
UNDO = [*polled(PAUSE_BACK), *polled(ROLLED_BACK), *polled(TEST_OLD)]
HAPPY = [*TESTED, *RESUMED, ACM, *END]
FAILS = {"done": True, "passed": False}


# ---------------------------------------------------------------------- the paths of the design


def test_a_change_that_is_proven(script: Script) -> None:
    """Rehearsed, paused, changed, tested, resumed, and only then the pair goes to ACM."""
    child = script.child({})
    assert child.states == HAPPY
    assert child.output == {"name": "orders", "outcome": "certified"}


def test_planned(script: Script) -> None:
    """Plan mode, or a closed window: nothing after Plan."""
    child = script.child({PLAN: {"decision": "planned"}, RECORD: {"outcome": "planned"}})
    assert child.states == [*TO_PLAN, *LEAVE]
    assert child.outcome == "planned"


def test_unchanged(script: Script) -> None:
    """An endpoint that is already right is tested, and nothing is paused or resumed."""
    child = script.child({PLAN: {"decision": "unchanged"}})
    assert child.states == [*TO_PLAN, *polled(TEST), ACM, *END]


@pytest.mark.parametrize("polls", [0, 1, 4])
def test_an_unchanged_source_is_cheap(script: Script, polls: int) -> None:
    """At most 12 transitions, and 3 for each poll."""

    def test(event: dict[str, Any]) -> dict[str, Any]:
        return {"done": event["round"] == polls, "passed": True}

    child = script.child({PLAN: {"decision": "unchanged"}, TEST: test})
    assert child.states == [*TO_PLAN, *polled(TEST, polls + 1), ACM, *END]
    assert child.transitions == len(child.states) <= 12 + 3 * polls


def test_unchanged_but_it_does_not_connect(script: Script) -> None:
    """Roll back endpoint finds no undo log and says so at once."""
    nothing = {"done": True, "rolled_back": False}
    child = script.child(
        {
            PLAN: {"decision": "unchanged"},
            TEST: FAILS,
            ROLLED_BACK: nothing,
            RECORD: {"outcome": "failed"},
        }
    )
    undo = [*polled(PAUSE_BACK), *polled(ROLLED_BACK)]
    assert child.states == [*TO_PLAN, *polled(TEST), *undo, *LEAVE]
    assert script.events(RECORD)[0]["problem"] is None


def test_a_change_that_does_not_connect_is_rolled_back(script: Script) -> None:
    """The old settings are written and tested, the task runs again, and ACM is left alone."""
    child = script.child({TEST: FAILS, RECORD: {"outcome": "rolled_back"}})
    assert child.states == [*TESTED, *UNDO, *LEAVE_PAUSED]
    assert child.outcome == "rolled_back"


def test_an_undo_log_left_behind_goes_straight_to_the_tail(script: Script) -> None:
    """What an earlier run left half done is proven or rolled back before any material is read."""
    claim = {"claimed": True, "tail": True, "paused": True}
    child = script.child({CLAIM: claim})
    assert child.states == [*BEGIN, *polled(TEST), *RESUMED, ACM, *END]
    child = script.child({CLAIM: {**claim, "paused": False}, TEST: FAILS})
    assert child.states == [*BEGIN, *polled(TEST), *UNDO, *LEAVE]


def test_a_claim_that_another_has(script: Script) -> None:
    """The loser writes nothing: not even its record."""
    child = script.child({CLAIM: {"claimed": False}})
    assert child.states == [*BEGIN, "Deferred"]
    assert child.output == {"name": "orders", "outcome": "deferred"}


def test_an_open_breaker_defers_what_has_not_begun(script: Script) -> None:
    """The breaker is open: what was paused runs again, and Record says deferred."""
    held = {"done": True, "not_now": True}
    child = script.child({PAUSE: held, RECORD: {"outcome": "deferred"}})
    assert child.states == [*TO_PLAN, IMPORT_CA, *polled(REHEARSE), *polled(PAUSE), *LEAVE_PAUSED]


def test_every_loop_polls_until_done(script: Script) -> None:
    """Each wait is the setting's; each round passes its number and the bound."""

    def third(**more: bool) -> Answer:
        return lambda event: {"done": event["round"] == 2, **more}

    answers = dict.fromkeys((REHEARSE, PAUSE, CONFIGURE, TEST_OLD, RESUME), third())
    answers |= {TEST: third(passed=False), ROLLED_BACK: third(rolled_back=True)}
    before = script.cloud.clock.now()
    child = script.child(answers)
    assert child.states == [
        *TO_PLAN,
        IMPORT_CA,
        *(state for name in (REHEARSE, PAUSE, CONFIGURE, TEST) for state in polled(name, 3)),
        *polled(PAUSE_BACK),
        *(state for name in (ROLLED_BACK, TEST_OLD) for state in polled(name, 3)),
        "Paused?",
        *polled(RESUME, 3),
        *LOOKED,
        *END,
    ]
    assert [event["round"] for event in script.events(REHEARSE)] == [0, 1, 2]
    assert {event["rounds"] for event in script.events(REHEARSE)} == {15}
    assert (script.cloud.clock.now() - before).total_seconds() == pytest.approx(14 * 60, abs=5)


EXHAUSTED = {
    REHEARSE: ([*TO_PLAN, IMPORT_CA, *polled(REHEARSE, 15), *LEAVE], 15),
    PAUSE: (
        [*TO_PLAN, IMPORT_CA, *polled(REHEARSE), *polled(PAUSE, 25), *LEAVE_PAUSED],
        25,
    ),
    CONFIGURE: (
        [
            *CHANGE[:-2],
            *polled(CONFIGURE, 10),
            *UNDO,
            *LEAVE_PAUSED,
        ],
        10,
    ),
    TEST: ([*CHANGE, *polled(TEST, 10), *UNDO, *LEAVE_PAUSED], 10),
    PAUSE_BACK: ([*TESTED, *polled(PAUSE_BACK, 10), *RESUMED, *END], 10),
    ROLLED_BACK: ([*TESTED, *polled(PAUSE_BACK), *polled(ROLLED_BACK, 10), *LEAVE_PAUSED], 10),
    TEST_OLD: ([*TESTED, *UNDO[:-2], *polled(TEST_OLD, 10), *LEAVE_PAUSED], 10),
    RESUME: ([*TESTED, *polled(RESUME, 15), *LOOKED, *END], 15),
}


@pytest.mark.parametrize("state", EXHAUSTED)
def test_a_loop_that_runs_out_of_rounds_goes_on_as_if_the_step_had_failed(
    script: Script, state: str
) -> None:
    """The machine's own bound holds when a step never says done, or answers what nobody knows."""
    answers: dict[str, Answer] = {state: {"done": "perhaps"}}
    if state in AFTER_A_FAILED_TEST:
        answers[TEST] = FAILS
    child = script.child(answers)
    states, rounds = EXHAUSTED[state]
    assert child.states == states
    assert script.events(RECORD)[0]["problem"] == {
        "error": "Unexpected",
        "cause": f"{state}: not done after {rounds} rounds",
    }


def test_a_decision_nobody_knows_is_a_problem(script: Script) -> None:
    """A word outside the vocabulary changes nothing."""
    child = script.child({PLAN: {"decision": "maybe"}})
    assert child.states == [*TO_PLAN, "No decision", *LEAVE]
    problem = script.events(RECORD)[0]["problem"]
    assert problem == {"error": "Unexpected", "cause": "Plan changes: no decision"}


# ---------------------------------------------------------------------- failures at every state

# The states before the failing one, and those after it.
FAILURES: Mapping[str, tuple[list[str], list[str]]] = {
    CLAIM: ([], END),
    READ: (BEGIN, LEAVE),
    PROBE: ([*BEGIN, READ], LEAVE),
    PLAN: ([*BEGIN, READ, PROBE], LEAVE),
    IMPORT_CA: (TO_PLAN, LEAVE),
    REHEARSE: ([*TO_PLAN, IMPORT_CA], LEAVE),
    PAUSE: ([*TO_PLAN, IMPORT_CA, *polled(REHEARSE)], LEAVE_PAUSED),
    CONFIGURE: ([*TO_PLAN, IMPORT_CA, *polled(REHEARSE), *polled(PAUSE)], [*UNDO, *LEAVE_PAUSED]),
    TEST: (CHANGE, [*UNDO, *LEAVE_PAUSED]),
    PAUSE_BACK: (TESTED, [*RESUMED, *END]),
    ROLLED_BACK: ([*TESTED, *polled(PAUSE_BACK)], LEAVE_PAUSED),
    TEST_OLD: ([*TESTED, *polled(PAUSE_BACK), *polled(ROLLED_BACK)], LEAVE_PAUSED),
    RESUME: (TESTED, [*LOOKED, *END]),
    LOOK: ([*TESTED, *polled(RESUME)], ["Proven?", ACM, *END]),
    ACM: ([*TESTED, *RESUMED], END),
    RECORD: (HAPPY[:-1], ["Not recorded"]),
}
# Before these, the test of the new settings must have failed.
AFTER_A_FAILED_TEST = (PAUSE_BACK, ROLLED_BACK, TEST_OLD)
BEFORE_PAUSE = (READ, PROBE, PLAN, IMPORT_CA, REHEARSE)


def failing(state: str, error: Answer) -> dict[str, Answer]:
    """Answers under which ``state`` is reached and fails."""
    return {state: error, **({TEST: FAILS} if state in AFTER_A_FAILED_TEST else {})}


ERRORS = {
    "refused": Refused(Cause.HOSTNAME_MISMATCH),
    "unexpected": Unexpected("KeyError"),
    "wrong event": InvalidEvent("no such field"),
    "a bug": KeyError("x"),
    "always busy": [*concrete(Retryable)][1]("busy"),
    "lambda does not answer": LambdaFault("Lambda.Unknown", "?"),
    "lambda is out of time": LambdaFault("Sandbox.Timedout", "Task timed out"),
}


@pytest.mark.parametrize("kind", some(ERRORS))
@pytest.mark.parametrize("state", some(FAILURES))
def test_a_failure_at_every_state(script: Script, state: str, kind: str) -> None:
    """The way from each failing state is exact, and Record learns of the first problem."""
    error = ERRORS[kind]
    child = script.child(failing(state, error))
    before, after = FAILURES[state]
    assert child.states == [*before, state, *after]
    assert child.status == "SUCCEEDED"
    if state == RECORD:
        assert child.output == {"name": "orders", "outcome": "failed"}
    elif state in (LOOK, ACM):
        assert script.events(RECORD)[0]["problem"] is None
    else:
        (event,) = script.events(RECORD)
        name = error.error_type if isinstance(error, LambdaFault) else type(error).__name__
        assert event["problem"]["error"] == name


@pytest.mark.parametrize("state", some(FAILURES))
def test_a_lost_claim_at_every_state(script: Script, state: str) -> None:
    """The new owner finishes: nothing more is called, not even Record."""
    child = script.child(failing(state, ClaimLost("orders")))
    before, _ = FAILURES[state]
    assert child.states == [*before, state, "Deferred"]
    assert child.output == {"name": "orders", "outcome": "deferred"}
    assert script.inputs[-3][0] == state  # then Tidy and Report of the whole run


PASSING = [error("soon") for error in concrete(Retryable)] + [
    LambdaFault(name) for name in (*LAMBDA_UNAVAILABLE, "Sandbox.Timedout", "Runtime.ExitError")
]


@pytest.mark.parametrize("state", some(FAILURES))
def test_what_passes_is_tried_again_at_every_state(script: Script, state: str) -> None:
    """Throttles, busy resources and Lambda's own faults leave no trace but attempts."""
    left = list(PASSING)

    def answer(_: dict[str, Any]) -> Any:
        # No retrier gives more than five attempts to Lambda's faults in one visit of a state.
        if left and len(left) > len(PASSING) - 5:
            raise left.pop(0)
        return GOOD[state]

    child = script.child(failing(state, answer))
    before, _ = FAILURES[state]
    assert child.states[: len(before) + 1] == [*before, state]
    assert child.outcome == "certified"
    assert len(script.events(state)) == 6
    assert script.events(RECORD)[0]["problem"] is None


@pytest.mark.parametrize(
    "passing", some(PASSING), ids=lambda e: getattr(e, "error_type", type(e).__name__)
)
def test_every_error_that_passes_is_tried_again(script: Script, passing: Exception) -> None:
    """Retry lists hold every concrete Retryable, and each of Lambda's own errors."""
    left = [passing]

    def answer(_: dict[str, Any]) -> Any:
        if left:
            raise left.pop()
        return {}

    assert script.child({PROBE: answer}).states == HAPPY


# ---------------------------------------------------------------------- a pause of an earlier run

PAUSED_BEFORE = {"claimed": True, "tail": False, "paused": True}


@pytest.mark.parametrize("state", BEFORE_PAUSE)
def test_an_early_exit_with_a_pause_left_over_resumes(script: Script, state: str) -> None:
    """A refusal long before Pause still starts what an earlier run has stopped."""
    refused = Refused(Cause.SECRET_UNREADABLE)
    child = script.child({CLAIM: PAUSED_BEFORE, state: refused})
    assert child.states == [*FAILURES[state][0], state, *LEAVE_PAUSED]
    assert script.events(RECORD)[0]["problem"]["error"] == "Refused"


def test_planned_and_unchanged_with_a_pause_left_over_resume(script: Script) -> None:
    """No exit reaches Record past a pause without Resume."""
    child = script.child({CLAIM: PAUSED_BEFORE, PLAN: {"decision": "planned"}})
    assert child.states == [*TO_PLAN, *LEAVE_PAUSED]
    child = script.child({CLAIM: PAUSED_BEFORE, PLAN: {"decision": "unchanged"}})
    assert child.states == [*TO_PLAN, *polled(TEST), *RESUMED, ACM, *END]


# ---------------------------------------------------------------------- what is passed on


def test_every_step_gets_what_the_contract_says(script: Script) -> None:
    """Run and parent are ARNs of the child and of its parent; the spec is the manifest's."""
    child = script.child({TEST: FAILS})
    (run,) = [e for e in script.cloud.executions if child in e.children]
    common = {
        "run": child.arn,
        "parent": run.arn,
        "mode": "apply",
        "origin": "direct",
        "source": SOURCE,
    }
    extras: dict[str, dict[str, Any]] = {
        REHEARSE: {"round": 0, "rounds": 15},
        PAUSE: {"round": 0, "rounds": 25, "action": "apply"},
        PAUSE_BACK: {"round": 0, "rounds": 10, "action": "roll_back"},
        CONFIGURE: {"round": 0, "rounds": 10, "action": "apply"},
        TEST: {"round": 0, "rounds": 10, "settings": "new"},
        ROLLED_BACK: {"round": 0, "rounds": 10, "action": "roll_back"},
        TEST_OLD: {"round": 0, "rounds": 10, "settings": "old"},
        RESUME: {"round": 0, "rounds": 15},
        LOOK: {"again": True},
        RECORD: {"problem": None, "sources": 1},
    }
    (select,), (tidy,), (report,) = (script.events(state) for state in (SELECT, TIDY, REPORT))
    started = select.pop("started")
    extras[CLAIM] = {"started": started}
    for state in (READ, PROBE, PLAN, IMPORT_CA, *extras):
        assert script.events(state) == [{**common, **extras.get(state, {})}], state
    assert datetime.fromisoformat(started).utcoffset() == timedelta(0)
    assert select == {"event": {"names": ["orders"]}, "execution": run.arn}
    assert tidy == {"execution": run.arn, "mode": "apply"}
    assert report == {
        "execution": run.arn,
        "bucket": script.cloud.bucket,
        "key": "manifest.json",
        "mode": "apply",
        "origin": "direct",
        "problem": None,
    }


def test_what_a_source_holds_is_passed_on_to_the_letter(script: Script) -> None:
    """Quotes, backslashes, templates, lists of one and nothing survive the way through JSONata."""
    spec = {
        "quotes": 'it\'s "so"',
        "path": "C:\\new\\table",
        "template": "{% $source %} $problem",
        "one": ["only"],
        "none": [],
        "null": None,
        "deep": [[1], [[2]]],
        "text": "ключ 鍵 🔑",
    }
    script.sources = [{"name": "orders", "spec": spec, "version": 1}]
    child = script.child({})
    assert child.states == HAPPY
    assert script.events(RECORD)[0]["source"]["spec"] == spec


def test_a_long_cause_is_capped_and_the_first_problem_is_kept(script: Script) -> None:
    """What fails later, while rolling back, does not hide why."""
    child = script.child(
        {
            CONFIGURE: Unexpected("x" * 100_000),
            ROLLED_BACK: Unexpected("second"),
            RESUME: Unexpected("third"),
        }
    )
    assert child.states[-4:] == [RESUME, *LOOKED, RECORD]
    problem = script.events(RECORD)[0]["problem"]
    assert problem["cause"].startswith('{"errorMessage":"xxx')
    assert len(problem["cause"]) == 1000


def test_answers_of_the_largest_size_pass(script: Script) -> None:
    """Every step may answer 8 KiB, and the history of a child stays small."""
    padding = {"padding": "x" * 8000}
    answers = {state: {**good, **padding} for state, good in GOOD.items()}
    child = script.child(answers)
    assert child.states == HAPPY
    assert "xxxx" not in json.dumps(child.output)
    states = [e for e in child.history if "stateEnteredEventDetails" in e]
    assert all(len(e["stateEnteredEventDetails"]["input"]) < 1000 for e in states)


# ---------------------------------------------------------------------- the run over all sources

TO_MAP = [SELECT, "Any sources?", "Certify sources"]
TO_TIDY = [*TO_MAP, TIDY]
REPORTED = [REPORT, "Run failed?", "Reported"]
NOT_REPORTED = [REPORT, "Run failed?", "Not certified"]


def test_nothing_due(script: Script) -> None:
    """A tick over no source is three states, one Lambda."""
    script.sources = []
    run = script.run()
    assert run.states == [SELECT, "Any sources?", "Nothing to do"]
    assert (run.status, run.output, run.children) == ("SUCCEEDED", NOTHING, [])


@pytest.mark.parametrize("count", [1, 2, 25])
def test_one_child_for_every_source(script: Script, count: int) -> None:
    """One or many: each child sees its own source only."""
    names = [f"s{index}" for index in range(count)]
    script.sources = [{"name": name, "spec": {}, "version": 1} for name in names]
    run = script.run()
    assert run.states == [*TO_TIDY, *REPORTED]
    assert sorted(str(child.name) for child in run.children) == sorted(names)
    assert all(child.states == HAPPY for child in run.children)
    assert {child.output["name"] for child in run.children} == set(names)


def test_a_bad_source_stops_no_other(script: Script) -> None:
    """A child that is cut off in the middle leaves the Map, Tidy and Report running."""
    script.sources = [{"name": f"s{index}", "spec": {}, "version": 1} for index in range(6)]
    script.cloud.stop_child_at(CONFIGURE, nth=2)
    run = script.run()
    assert run.states == [*TO_TIDY, *REPORTED]
    ends = sorted(child.status for child in run.children)
    assert ends == ["ABORTED"] + ["SUCCEEDED"] * 5


def test_a_direct_start_that_is_not_certified_fails_and_says_why(script: Script) -> None:
    """A pipeline sees a failed execution, whose cause names the sources."""
    script.answers = {REPORT: {"failed": True, "cause": "orders: refused (hostname_mismatch)"}}
    run = script.run()
    assert run.states == [*TO_TIDY, *NOT_REPORTED]
    assert (run.status, run.error) == ("FAILED", "NotCertified")
    assert run.cause == "orders: refused (hostname_mismatch)"


def test_a_start_that_is_not_understood_fails_with_its_own_name(script: Script) -> None:
    """Select's error reaches Report, and the execution bears its name; nothing was touched."""
    script.answers = {
        SELECT: InvalidEvent("colour: unknown"),
        REPORT: lambda event: {"failed": True, "cause": event["problem"]["cause"]},
    }
    run = script.run()
    assert run.states == [SELECT, *NOT_REPORTED]
    assert run.error == "InvalidEvent"
    assert "colour: unknown" in str(run.cause)
    assert [name for name, _ in script.inputs] == [SELECT, REPORT]
    assert script.events(REPORT)[0]["key"] is None


def test_a_manifest_that_is_gone_is_reported(script: Script) -> None:
    """The Map's own error is caught."""
    script.answers = {SELECT: lambda _: {**script.select(), "key": "elsewhere.json"}}
    run = script.run()
    assert run.states == [*TO_MAP, *REPORTED]
    assert script.events(REPORT)[0]["problem"]["error"] == "States.ItemReaderFailed"


def test_a_run_never_fails_with_a_name_that_the_service_keeps_for_itself(script: Script) -> None:
    """Names that begin with "States." are reserved, so the report's failure goes without it."""
    script.answers = {
        SELECT: lambda _: {**script.select(), "key": "elsewhere.json"},
        REPORT: {"failed": True, "cause": "States.ItemReaderFailed: no such object"},
    }
    run = script.run()
    assert run.states == [*TO_MAP, *NOT_REPORTED]
    assert (run.status, run.error) == ("FAILED", "ItemReaderFailed")


def test_a_select_that_answers_half_is_reported(script: Script) -> None:
    """An answer that lacks a key is an error of that state, which its Catch sees."""
    script.answers = {SELECT: {"count": 1}}
    run = script.run()
    assert run.states == [SELECT, *REPORTED]
    assert script.events(REPORT)[0]["problem"]["error"] == "States.QueryEvaluationError"


def test_a_failed_tidy_is_reported(script: Script) -> None:
    """Tidying must not hide what the run did."""
    script.answers = {TIDY: Unexpected("KeyError")}
    run = script.run()
    assert run.states == [*TO_TIDY, *REPORTED]
    assert script.events(REPORT)[0]["problem"]["error"] == "Unexpected"


def test_a_failed_report_fails_the_run(script: Script) -> None:
    """The machinery itself did not work: then the execution says so."""
    script.answers = {REPORT: Unexpected("KeyError")}
    run = script.run()
    assert run.states == [*TO_TIDY, REPORT]
    assert (run.status, run.error) == ("FAILED", "Unexpected")


def test_the_results_of_the_map_lie_in_the_bucket(script: Script) -> None:
    """Under the run's own prefix, child by child; nothing of them passes through the machine."""
    run = script.run()
    found = script.cloud.objects(f"runs/{run.run_id}/map/")
    (key,) = [key for key in found if key.endswith("SUCCEEDED_0.json")]
    (result,) = json.loads(found[key])
    assert json.loads(result["Output"]) == {"name": "orders", "outcome": "certified"}


# ---------------------------------------------------------------------- the second door

ONBOARD = ["Begin onboarding", REGISTER, "Registered?"]


def failed(reason: str) -> dict[str, Any]:
    """The cause of what failed before anything was run."""
    return {"reason": reason, "counts": {}, "sources": [], "report": None}


def onboard(script: Script, answers: Mapping[str, Answer]) -> Execution:
    """Start Onboard with one source."""
    script.answers = dict(answers)
    return script.cloud.run({"sources": [{"name": "orders"}], "mode": "plan"})


def test_what_is_registered_is_run_and_answered(script: Script) -> None:
    """Register gets the raw input; Run its name alone; Run's answer is Onboard's."""
    run = onboard(script, {})
    assert run.states == [*ONBOARD, "Run sources", "Onboarded"]
    assert run.output == {"counts": {"certified": 1}}
    assert script.events(REGISTER) == [
        {"event": {"sources": [{"name": "orders"}], "mode": "plan"}, "execution": run.arn}
    ]
    (selected,) = script.events(SELECT)
    assert selected["event"] == {"onboarded": "x"}
    assert selected["execution"].endswith(f":{run.run_id}")


def test_what_is_not_registered_is_not_run(script: Script) -> None:
    """The mistakes are the cause."""
    refused = {"accepted": False, "onboarded": "x", "problems": "sources.0.host: is required"}
    run = onboard(script, {REGISTER: refused})
    assert run.states == [*ONBOARD, "Not certified"]
    assert run.error == "InvalidEvent"
    assert json.loads(str(run.cause)) == failed("sources.0.host: is required")


def test_a_run_that_fails_gives_its_words_to_onboard(script: Script) -> None:
    """Error and cause as Run has them, whatever signs are in them."""
    words = 'orders: refused ("a" \\ {b} % $c)'
    run = onboard(script, {REPORT: {"failed": True, "cause": words, "answer": None}})
    assert run.states == [*ONBOARD, "Run sources", "Not certified"]
    assert run.error == "NotCertified"
    assert json.loads(str(run.cause)) == failed(words)


def test_a_run_that_fails_gives_its_answer_to_onboard(script: Script) -> None:
    """What is JSON already stays as it is, quotation marks and all."""
    words = json.dumps({**failed('orders: refused ("a")'), "counts": {"refused": 1}})
    run = onboard(script, {REPORT: {"failed": True, "cause": words, "answer": None}})
    assert (run.error, run.cause) == ("NotCertified", words)


@pytest.mark.parametrize("error", [Unexpected("KeyError"), LambdaFault("Sandbox.Timedout")])
def test_an_error_while_registering_ends_onboard(script: Script, error: Exception) -> None:
    """Under its own name, after the retries that it gets."""
    run = onboard(script, {REGISTER: error})
    assert run.states[-1] == "Not certified"
    assert run.error in ("Unexpected", "Sandbox.Timedout")
    assert script.events(SELECT) == []
