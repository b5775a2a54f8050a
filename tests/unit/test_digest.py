"""What many sources of one execution have in common is one mail: ``tests/golden/mail-digest-*``."""

from datetime import timedelta

import pytest

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.digest import SHARED, mailings, may_wait, pending
from certifier.run.ending import Ending
from certifier.run.mail import SUBJECT, Notice
from certifier.run.notice import notice
from certifier.run.pending import OnceSent, Pending
from certifier.run.site import Site
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome, Witness
from tests.goldens import golden
from tests.unit.situations import AT, NOW, RUN, STOPPED, situation

EXECUTION = RUN.replace("/Source:5c1c", ":77aa")
SITE = Site.of(EXECUTION, "Certifier", "https://docs.example.com/certifier/")
UNKNOWN = finding(
    Cause.UNKNOWN_AUTHORITY,
    place=Witness.PROBE,
    seen="CN=Orders CA 5 is not in the CA bundle, which holds CN=Orders CA 4",
    raw="SSL error: certificate verify failed",
)
EXPIRES = finding(
    Cause.CERTIFICATE_EXPIRES_SOON,
    place=Witness.PROBE,
    seen="the served certificate expires on 2026-12-07",
)


def consent(name: str) -> Finding:
    """A finding whose remedy is of one source alone."""
    remedy = f"The owner runs: aws dms add-tags-to-resource --resource-arn arn:{name} --tags ..."
    missing = finding(Cause.NOT_ALLOWED, place=Witness.INTAKE, seen=f"the endpoint of {name}")
    return missing.model_copy(update={"remedy": remedy})


def waiting(name: str, outcome: Outcome, *findings: Finding) -> Pending:
    """A notice as Record leaves it."""
    at = situation(
        name=name,
        run=f"{RUN}-{name}",
        host=f"{name}.db.example.com:5432",
        endpoint=f"{name}-source",
        next_due=NOW + timedelta(days=1),
    )
    end = Ending(outcome, findings)
    before = {"refused": NOW - timedelta(days=1)}
    needs = ("x",) if findings else ()
    sent = notice(at, end, needs=needs, notified=before, now=NOW)
    assert sent is not None
    return pending(at, end, sent, {}, {"x": NOW})


def mails(*waits: Pending) -> list[Notice]:
    found = mailings(
        waits, SITE, execution=EXECUTION, bucket="certifier-records", report="reports/77aa", now=NOW
    )
    assert sorted(one.name for each in found for one in each.of) == sorted(w.name for w in waits)
    return [each.mail for each in found]


DIGESTS = {
    "refused": [waiting(f"orders-{n}", Outcome.REFUSED, UNKNOWN) for n in range(5)],
    "without-consent": [
        waiting(name, Outcome.REFUSED, consent(name), EXPIRES) for name in ("a", "b", "c", "d")
    ],
    "of-a-hundred": [waiting(f"orders-{n:03}", Outcome.CERTIFIED, EXPIRES) for n in range(100)],
    "it-is-over": [waiting(f"orders-{n}", Outcome.CERTIFIED) for n in range(4)],
}


@pytest.mark.parametrize("kind", DIGESTS)
def test_a_digest_reads_like_this(kind: str) -> None:
    """As its file; it fits into what is delivered, and its subject is as that of every mail."""
    (sent,) = mails(*DIGESTS[kind])
    golden(f"mail-digest-{kind}", f"Subject: {sent.subject}\n\n{sent.message}")
    assert len(sent.message.encode()) < 8 * 1024
    assert len(sent.subject) <= SUBJECT
    assert sent.subject.startswith("Certifier eu-west-1: ")
    foot = sent.message.splitlines()[-1]
    for part in ("111122223333", "eu-west-1", "stack Certifier", "run 77aa"):
        assert part in foot


def test_longest_texts_fit() -> None:
    """Whatever servers say, the links at the end are delivered."""
    long = UNKNOWN.model_copy(update={"seen": "s" * 4000, "raw": "r" * 4000})
    names = [f"{n:03}-{'n' * 60}" for n in range(500)]
    differ = [long.model_copy(update={"remedy": f"{name} " + "d" * 900}) for name in names]
    waits = [waiting(name, Outcome.REFUSED, each) for name, each in zip(names, differ, strict=True)]
    (sent,) = mails(*waits)
    assert len(sent.message.encode()) < 8 * 1024
    assert sent.message.splitlines()[-1].startswith("Account 111122223333")


def test_as_many_as_may_have_mails_of_their_own() -> None:
    """Three sources with one cause, and one with another: four mails, as each had it alone."""
    waits = [waiting(f"orders-{n}", Outcome.REFUSED, UNKNOWN) for n in range(SHARED)]
    other = waiting("payments", Outcome.REFUSED, EXPIRES)
    sent = mails(*waits, other)
    assert [each.subject for each in sent] == [w.subject for w in (*waits, other)]


def test_what_shares_a_cause_and_not_an_outcome_is_kept_apart() -> None:
    """The first line says what came of all of them."""
    waits = [
        waiting(f"orders-{n}", outcome, UNKNOWN)
        for n, outcome in enumerate((Outcome.REFUSED,) * 4 + (Outcome.FAILED,) * 4)
    ]
    refused, failed = mails(*waits)
    assert refused.subject.endswith("4 sources refused: unknown_authority")
    assert failed.subject.endswith("4 sources failed: unknown_authority")


def test_a_remedy_is_said_once() -> None:
    """Unless it is each source's own."""
    (shared,) = mails(*DIGESTS["refused"])
    assert shared.message.count(UNKNOWN.remedy) == 1
    (own,) = mails(*DIGESTS["without-consent"])
    assert [own.message.count(f"arn:{name} ") for name in "abcd"] == [1, 1, 1, 1]


def test_what_we_have_touched_does_not_wait() -> None:
    """A task that does not run, a change that ended badly, an undo log that stays."""
    refused = Ending(Outcome.REFUSED, (UNKNOWN,))
    assert may_wait(AT, refused)
    assert may_wait(AT, Ending(Outcome.FAILED, (UNKNOWN,)))
    assert not may_wait(situation(stopped=(STOPPED,)), refused)
    assert not may_wait(AT, Ending(Outcome.ROLLED_BACK, (UNKNOWN,), bad_end=RUN))
    assert not may_wait(AT, Ending(Outcome.REFUSED, (UNKNOWN,), ended_badly=True))
    assert not may_wait(AT, Ending(Outcome.FAILED, (UNKNOWN,), unfinished=True))


def test_what_was_sent_is_known_by_what_is_remembered() -> None:
    """The table holds whole seconds; what the notice does not change may be anything."""
    at = NOW.replace(microsecond=250)
    one = pending(
        AT,
        Ending(Outcome.REFUSED, (UNKNOWN,)),
        Notice("s", "m", (UNKNOWN,)),
        {"events": ("e",), "unsent": None, "anchors_left": None},
        {"refused": at},
    )
    assert one.once_sent == OnceSent(notified={"refused": NOW}, events=("e",), anchors_left={})
    state = SourceState(name="orders", notified={"refused": NOW}, events=("e",), anchors=("a",))
    assert one.once_sent.is_remembered(state)
    assert not one.once_sent.is_remembered(state.model_copy(update={"events": ()}))
    assert Pending.model_validate_json(one.model_dump_json()) == one
