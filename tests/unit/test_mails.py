"""Every kind of mail, as a person gets it: ``tests/golden/mail-*.txt``."""

import re
from datetime import timedelta

import pytest

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run import runbook
from certifier.run.ending import Ending
from certifier.run.mail import SUBJECT, Notice, Situation, about_breaker
from certifier.run.notice import notice
from certifier.run.runbook import SECTIONS, section
from certifier.run.site import Site
from certifier.vocabulary import Cause, Outcome, Severity, Stage, Witness
from tests.docs.markdown import ROOT, anchors, read
from tests.goldens import golden
from tests.unit.situations import AT, NOW, RUN, STOPPED, situation

RUNBOOK = ROOT / "docs/operate/runbook.md"


def found(
    cause: Cause, seen: str, place: Witness = Witness.WORKFLOW, raw: str | None = None
) -> Finding:
    return finding(cause, place=place, seen=seen, raw=raw)


MISMATCH = found(
    Cause.HOSTNAME_MISMATCH,
    "the host is orders.db.example.com, and the certificate names DNS:db-1.example.com",
    Witness.PROBE,
    'server certificate for "db-1.example.com" does not match host name "orders.db.example.com"',
)
TIMEOUT = finding(
    Cause.CONNECTION_TIMEOUT,
    place=Witness.DMS_TEST,
    seen="from replication instance replication-1: nothing answered in time",
    raw="Test Endpoint failed: ... timeout expired",
    stage=Stage.TCP,
)
BROKEN = found(
    Cause.BROKEN_AFTER_ROLLBACK,
    "DMS connects neither with the new settings nor with the old ones, which are back",
    Witness.DMS_TEST,
)
NOT_RESTARTED = found(
    Cause.TASK_NOT_RESTARTED,
    "task orders-to-warehouse, which we stopped, does not run again yet: it is failed",
    raw=STOPPED.said,
)
EXPIRES = found(
    Cause.CERTIFICATE_EXPIRES_SOON,
    "the served certificate O=Server orders.db.example.com expires on 2026-12-07",
    Witness.PROBE,
)
ANCHOR = found(
    Cause.NEW_TRUST_ANCHOR,
    "the CA bundle, or the endpoint, holds a CA that was never there before: CN=Orders CA 3",
    Witness.INTAKE,
)
MISSED = found(Cause.WINDOW_MISSED, "the window has passed 2 times without the change")

KINDS: dict[str, tuple[Situation, Ending, tuple[Finding, ...]]] = {
    "task-is-stopped": (
        situation(
            stopped=(STOPPED,),
            wal=("orders_slot retains 1.2 GB, 300.0 MB more than before the stop",),
        ),
        Ending(Outcome.TASK_STOPPED, (NOT_RESTARTED,)),
        (),
    ),
    "two-tasks-are-stopped": (
        situation(
            stopped=(
                STOPPED,
                STOPPED.model_copy(
                    update={"identifier": "orders-to-lake", "said": None, "status": "stopped"}
                ),
            )
        ),
        Ending(Outcome.ROLLED_BACK, (TIMEOUT, NOT_RESTARTED)),
        (),
    ),
    "rolled-back": (
        situation(restarted=1, stopped_seconds=126.0, next_due=NOW + timedelta(days=1)),
        Ending(Outcome.ROLLED_BACK, (TIMEOUT,)),
        (),
    ),
    "failed": (situation(), Ending(Outcome.FAILED, (TIMEOUT, BROKEN)), ()),
    "refused": (
        situation(next_due=NOW + timedelta(days=1)),
        Ending(Outcome.REFUSED, (MISMATCH,)),
        (),
    ),
    "certified-with-a-warning": (
        situation(next_due=NOW + timedelta(days=1)),
        Ending(Outcome.CERTIFIED, (EXPIRES,)),
        (),
    ),
    "an-event": (
        situation(next_due=NOW + timedelta(days=1)),
        Ending(Outcome.CERTIFIED, (ANCHOR,)),
        (ANCHOR,),
    ),
    "waits-for-its-window": (
        situation(
            opens_at=NOW + timedelta(days=5, hours=11, minutes=47),
            zone="Europe/Berlin",
            next_due=NOW + timedelta(days=1),
        ),
        Ending(Outcome.PLANNED, (MISSED,)),
        (),
    ),
}


def mail(kind: str) -> Notice:
    at, end, events = KINDS[kind]
    sent = notice(at, end, needs=() if events else ("x",), notified={}, now=NOW, events=events)
    assert sent is not None
    return sent


def whole(sent: Notice) -> str:
    return f"Subject: {sent.subject}\n\n{sent.message}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_reads_like_this(kind: str) -> None:
    """As its file; its subject fits, and is plain ASCII, which SNS asks for."""
    sent = mail(kind)
    golden(f"mail-{kind}", whole(sent))
    assert len(sent.subject) <= SUBJECT
    assert sent.subject.isascii()
    assert sent.subject.startswith("Certifier eu-west-1: ")


def test_the_other_mails_read_like_this() -> None:
    """That it is over, and that changes are stopped."""
    over = notice(
        situation(restarted=1, stopped_seconds=677.0, next_due=NOW + timedelta(days=1)),
        Ending(Outcome.CERTIFIED, ()),
        needs=(),
        notified=dict.fromkeys(("task_stopped", "task_not_restarted"), NOW),
        now=NOW,
    )
    assert over is not None
    golden("mail-it-is-over", whole(over))
    golden("mail-changes-are-stopped", whole(about_breaker(AT, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_leads_on(kind: str) -> None:
    """Account, Region, stack and run; only addresses that open; the command to look first."""
    text = mail(kind).message
    for part in ("111122223333", "eu-west-1", "stack Certifier", "run 5c1c", "2026-11-30 13:13"):
        assert part in text.splitlines()[-1]
    assert "s3://" not in text
    assert "  Look         certifier show orders" in text.splitlines()
    links = re.findall(r"https://\S+", text)
    assert any(link.startswith("https://docs.example.com/certifier/operate/") for link in links)
    assert any("s3/object/certifier-records" in link for link in links)
    assert any("states/home" in link for link in links)


def test_the_first_line_says_that_a_task_does_not_run() -> None:
    """Which, since when, and for how long; then DMS's own words."""
    first, _, said, *_ = mail("task-is-stopped").message.splitlines()
    assert first.startswith("orders-to-warehouse has not run since 12:56 UTC (17 min).")
    assert said.split("DMS says")[1].strip() == STOPPED.said


def test_what_the_run_has_settled_is_in_no_mail() -> None:
    """It says how a run came, and nobody has to do anything."""
    finished = finding(
        Cause.INTERRUPTED_RUN_FINISHED,
        place=Witness.WORKFLOW,
        seen="an earlier run was cut off",
        severity=Severity.WARNING,
    )
    end = Ending(Outcome.CERTIFIED, (finished, EXPIRES), settled=frozenset({finished.cause}))
    sent = notice(AT, end, needs=("x",), notified={}, now=NOW)
    assert sent is not None
    assert "interrupted" not in sent.message
    assert sent.subject.endswith("certificate_expires_soon")


def test_a_long_subject_is_cut() -> None:
    """SNS takes a hundred characters."""
    long = STOPPED.model_copy(update={"identifier": "t" * 200})
    sent = notice(
        situation(stopped=(long,)),
        Ending(Outcome.TASK_STOPPED, ()),
        needs=("x",),
        notified={},
        now=NOW,
    )
    assert sent is not None
    assert len(sent.subject) == SUBJECT


def test_every_cause_and_outcome_has_its_section_in_the_runbook() -> None:
    """So that the link in a mail leads to what to do."""
    known = anchors(read(RUNBOOK))
    assert set(SECTIONS) == set(Cause)
    assert set(SECTIONS.values()) <= known
    named = {name: value for name, value in vars(runbook).items() if name.isupper()}
    assert {value for value in named.values() if isinstance(value, str)} <= known
    for outcome in Outcome:
        assert section(outcome, None) in known


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (RUN, "eu-west-1.console.aws.amazon.com"),
        ("arn:aws-cn:states:cn-north-1:1:execution:m:e", "cn-north-1.console.amazonaws.cn"),
        ("arn:aws-us-gov:states:us-gov-west-1:1:execution:m:e", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_is_that_of_the_partition(arn: str, host: str) -> None:
    """China and GovCloud have consoles of their own."""
    assert host in Site.of(arn, "Certifier").task("t")


def test_without_published_documents_a_mail_names_the_path() -> None:
    """In the repository, which an operator has."""
    assert Site.of(RUN, "Certifier").runbook("wal-grows") == "docs/operate/runbook.md#wal-grows"
