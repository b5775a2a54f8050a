"""What a digest must not hide: events, notified once each, and tasks that do not run."""

from datetime import timedelta

import pytest

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.digest import SHARED, may_wait, pending
from certifier.run.ending import Ending
from certifier.run.mail import Notice
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome, Severity, Witness
from tests.goldens import golden
from tests.unit.situations import AT, NOW
from tests.unit.test_digest import EXPIRES, UNKNOWN, mails, waiting

CA = "CN=Orders CA 6 (SHA-256 " + "a1" * 32 + ")"


def event(cause: Cause, seen: str) -> Finding:
    return finding(cause, place=Witness.PLAN, seen=seen)


def new_ca(names: str = CA) -> Finding:
    seen = f"the CA bundle, or the endpoint, holds a CA that was never there before: {names}"
    return event(Cause.NEW_TRUST_ANCHOR, seen)


def test_a_new_ca_that_many_share_is_named_in_full_and_once() -> None:
    """Though another finding weighs more, and more sources have it than are shown in full."""
    two = f"CN={'Orders ' * 20}CA 7 (SHA-256 {'b2' * 32}); {CA}"
    waits = [waiting(f"orders-{n:03}", Outcome.REFUSED, UNKNOWN, new_ca(two)) for n in range(100)]
    (sent,) = mails(*waits)
    assert sent.message.count(two) == 1
    assert len(sent.message.encode()) < 8 * 1024


def test_a_digest_that_is_about_a_new_ca_reads_like_this() -> None:
    """It leads, and is said once."""
    waits = [waiting(f"orders-{n}", Outcome.CERTIFIED, new_ca(), EXPIRES) for n in range(4)]
    (sent,) = mails(*waits)
    golden("mail-digest-new-ca", f"Subject: {sent.subject}\n\n{sent.message}")
    assert sent.message.count(CA) == 1


@pytest.mark.parametrize("cause", [Cause.ENDPOINT_WEAKENED, Cause.ENDPOINT_MOVED])
def test_what_was_done_to_one_endpoint_is_in_a_mail_of_its_own(cause: Cause) -> None:
    """Only the sources with nothing but the shared cause have a digest."""
    changed = [
        waiting(f"sales-{n}", Outcome.CERTIFIED, EXPIRES, event(cause, f"sales-{n}-source: {n}"))
        for n in range(SHARED + 2)
    ]
    others = [waiting(f"orders-{n}", Outcome.CERTIFIED, EXPIRES) for n in range(SHARED + 2)]
    sent = mails(*changed, *others)
    assert len(sent) == len(changed) + 1
    for n in range(len(changed)):
        assert sum(f"sales-{n}-source: {n}" in each.message for each in sent) == 1


def test_events_without_room_in_a_digest_are_mailed_alone() -> None:
    """A digest is cut at its sources, not at what is noted for good."""
    three = [new_ca(f"CN={letter * 800}") for letter in "abc"]
    waits = [waiting(f"orders-{n}", Outcome.CERTIFIED, *three) for n in range(SHARED + 1)]
    sent = mails(*waits)
    assert len(sent) == len(waits)
    assert all(each.seen in one.message for one in sent for each in three)


@pytest.mark.parametrize("cause", [Cause.TASK_NOT_RESTARTED, Cause.TASK_LEFT_ALONE])
def test_a_task_that_does_not_run_does_not_wait(cause: Cause) -> None:
    """Whichever source it was stopped for; one that this run has settled does."""
    stands = finding(cause, place=Witness.WORKFLOW, seen="a task, stopped for another source")
    assert not may_wait(AT, Ending(Outcome.CERTIFIED, (EXPIRES, stands)))
    settled = frozenset({cause})
    assert may_wait(AT, Ending(Outcome.CERTIFIED, (EXPIRES, stands), settled=settled))


def test_a_digest_says_nothing_of_tasks() -> None:
    """It does not know of those that other sources wait for."""
    (sent,) = mails(*[waiting(f"orders-{n}", Outcome.REFUSED, UNKNOWN) for n in range(4)])
    assert "restart" not in sent.message.splitlines()[0]


def test_when_a_ca_was_left_out_is_known_by_the_second() -> None:
    """As the table holds it, so that a second call of Report does not send the notice again."""
    left = {"a1": NOW.replace(microsecond=250_000)}
    sent = Notice("s", "m", (UNKNOWN,))
    end = Ending(Outcome.REFUSED, (UNKNOWN,))
    one = pending(AT, end, sent, {"anchors_left": left}, {"refused": NOW})
    state = SourceState(name="orders", notified={"refused": NOW}, anchors_left={"a1": NOW})
    assert one.once_sent.is_remembered(state)
    later = {"a1": NOW + timedelta(seconds=1)}
    assert not one.once_sent.is_remembered(state.model_copy(update={"anchors_left": later}))


def test_texts_in_any_language_leave_room_for_the_links() -> None:
    """What is delivered is counted in bytes: a server may speak Japanese."""
    said = "サーバ証明書の検証に失敗しました。" * 60
    long = UNKNOWN.model_copy(update={"seen": said, "raw": said})
    waits = [
        waiting(f"{n:03}-{'n' * 60}", Outcome.REFUSED, each)
        for n in range(200)
        for each in [long.model_copy(update={"remedy": f"{n} {said}"})]
    ]
    (sent,) = mails(*waits)
    assert len(sent.message.encode()) < 8 * 1024
    assert sent.message.splitlines()[-1].startswith("Account 111122223333")
    assert "Runbook" in sent.message


def test_events_and_texts_in_any_language_fit_together() -> None:
    """The longest of each."""
    said = "サーバ証明書の検証に失敗しました。" * 60
    long = UNKNOWN.model_copy(update={"seen": said, "raw": said})
    seen = new_ca("認" * 500)
    assert seen.severity is not Severity.ERROR
    names = [f"{n:03}-{'n' * 60}" for n in range(200)]
    remedies = [long.model_copy(update={"remedy": f"{name} {said}"}) for name in names]
    pairs = zip(names, remedies, strict=True)
    (sent,) = mails(*[waiting(name, Outcome.REFUSED, each, seen) for name, each in pairs])
    assert sent.message.count("認" * 500) == 1
    assert len(sent.message.encode()) < 8 * 1024
