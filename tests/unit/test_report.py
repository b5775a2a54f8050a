"""The pages: everything escaped, nothing fetched, every outcome readable."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from certifier.diagnosis import finding
from certifier.evidence import SlotFacts
from certifier.report import certification_page, summary_page
from certifier.run.documents import Change, StoppedTask
from certifier.run.event import Problem
from certifier.run.record import (
    Certification,
    DmsTest,
    Proof,
    SlotsRecord,
    Subject,
    TaskRecord,
    Verified,
)
from certifier.run.summary import Line, Summary
from certifier.vocabulary import Cause, Mode, Origin, Outcome, Stage, Witness
from tests.aws.certifications import NOW, SPEC, probe_report

HOSTILE = "<script>alert('x')</script>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """What a browser would see: the tags, their addresses, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += f" {data}"

    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def a_record(**fields: Any) -> Certification:
    chosen: dict[str, Any] = {
        "source": "orders",
        "version": 1,
        "spec": SPEC,
        "run": "arn:run",
        "parent": "arn:parent",
        "mode": Mode.APPLY,
        "origin": Origin.DIRECT,
        "outcome": Outcome.CERTIFIED,
        "recorded_at": NOW,
    }
    return Certification(**(chosen | fields))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_outcome_comes_first_as_a_word(outcome: Outcome) -> None:
    """A run that left nothing but its outcome still gives a whole page."""
    page = Page(certification_page(a_record(outcome=outcome)))
    assert page.words().index(outcome.words) < page.words().index("Endpoint")
    assert "This run connected nowhere" in page.words()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_colour(outcome: Outcome) -> None:
    """The page's style knows the word that its classes are named by."""
    html = certification_page(a_record(outcome=outcome))
    assert re.search(rf"^[^{{}}]*\.{outcome.value}\b[^{{}}]*{{ --tone:", html, re.MULTILINE)
    assert re.search(rf"\.tag\.{outcome.value}\b", html)


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    """No script, no address but our own pages, and a policy that forbids both."""
    html = certification_page(a_record(probe=probe_report().model_dump(mode="json", by_alias=True)))
    page = Page(html)
    assert "script" not in page.tags
    assert set(page.addresses) == {
        "#content",
        "../../reports/latest.html#s-orders",
        "../../reports/parent.html",
    }
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html


def test_what_others_said_is_text_and_nothing_else() -> None:
    """Markup in findings, verdicts, names and problems arrives as the characters it is."""
    probe = probe_report(False, names=(HOSTILE,), peer=HOSTILE).model_dump(
        mode="json", by_alias=True
    )
    probe["verdicts"]["verify-full"]["seen"] = HOSTILE
    found = finding(
        Cause.HOSTNAME_MISMATCH, place=Witness.PROBE, seen=HOSTILE, raw=HOSTILE, stage=Stage.TLS
    )
    record = a_record(
        outcome=Outcome.REFUSED,
        findings=(found,),
        changes=(Change(field="host", old=HOSTILE, new=None, reversible=False),),
        probe=probe,
    )
    page = Page(certification_page(record))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) >= 5
    line = Line(name="orders", outcome=Outcome.FAILED, seen=HOSTILE)
    summary = Summary(
        execution="arn",
        reported_at=NOW,
        problem=Problem(error="Unexpected", cause=HOSTILE),
        lines=(line,),
    )
    page = Page(summary_page(summary))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) == 2


def test_what_is_not_seen_or_turns_the_writing_is_shown_as_what_it_is() -> None:
    """Whoever said it: DMS of a test or a task, or a colleague in a field of an endpoint."""
    odd = "a\u202egnp.exe\u2066\x1b[2J\x00\x85\ud800b\nc"
    record = a_record(
        outcome=Outcome.TASK_STOPPED,
        changes=(Change(field="username", old=odd, new=odd),),
        tests=(DmsTest(subject=Subject.NOW, instance_arn=f"arn:{odd}", passed=False, message=odd),),
        tasks=TaskRecord(
            pending_restarts=("arn:task",),
            stopped=(StoppedTask(arn="arn:task", identifier=odd, since=NOW, said=odd),),
        ),
        expires=odd,
        days_left=1,
        expires_at=NOW,
    )
    html = certification_page(record)
    assert not [c for c in html if not c.isprintable() and c != "\n"]
    assert html.count("\\u202egnp.exe") >= 6


def test_what_dms_said_has_an_end() -> None:
    """Sixty instances that each say 8 KB leave a page that opens."""
    tests = tuple(
        DmsTest(subject=subject, instance_arn=f"arn:{n}", passed=False, message="&" * 8192)
        for subject in Subject
        for n in range(60)
    )
    assert len(certification_page(a_record(tests=tests))) < 1_500_000


def test_every_mode_has_its_verdict_and_reason() -> None:
    """A team sees which mode it asked for, and what the stricter ones would do."""
    probe = probe_report(False).model_dump(mode="json", by_alias=True)
    words = Page(certification_page(a_record(probe=probe))).words()
    assert "require ✓ yes" in words
    assert "verify-full asked for ✕ no" in words
    assert "not for orders.internal hostname_mismatch" in words


def test_findings_are_sorted_by_weight_and_say_seen_remedy_and_raw() -> None:
    """Errors first; the raw text stays beside our own words."""
    found = (
        finding(Cause.MODE_COULD_BE_RAISED, place=Witness.PROBE, seen="could be raised"),
        finding(Cause.DNS_FAILED, place=Witness.PROBE, seen="no such name", raw="NXDOMAIN"),
    )
    words = Page(certification_page(a_record(findings=found))).words()
    assert words.index("dns_failed") < words.index("mode_could_be_raised")
    assert "seen no such name" in words
    assert "said NXDOMAIN" in words
    assert found[1].remedy in words


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"changed": True}, "What was changed"),
        ({"rolled_back": True}, "What was tried, and rolled back"),
        ({}, "What would change"),
        ({"outcome": Outcome.PLANNED, "opens_at": NOW}, "until its window opens: 2026-11-24 09:00"),
    ],
)
def test_changes_say_whether_they_were_made(fields: dict[str, Any], text: str) -> None:
    """Made, rolled back, or only planned."""
    change = (Change(field="ssl_mode", old="require", new="verify-full"),)
    assert text in Page(certification_page(a_record(changes=change, **fields))).words()


def test_a_pending_restart_stands_out() -> None:
    """A task that does not run again is named, with how long the others were stopped."""
    tasks = TaskRecord(
        paused=("arn:task:A",), pending_restarts=("arn:task:B",), stopped_seconds=41.4
    )
    words = Page(
        certification_page(a_record(tasks=tasks, verified=Verified(probe=Proof(connected=True))))
    ).words()
    assert "the longest was stopped for 41 s" in words
    assert "Do not run again yet: B" in words


def test_slots_that_nobody_reads_from_show_what_the_server_keeps() -> None:
    """Before and after, in readable units; what was read from all the while is left out."""

    def slot(name: str, retained: int | None, active: bool = False) -> SlotFacts:
        return SlotFacts(name=name, active=active, retained_bytes=retained, wal_status="extended")

    before = (slot("left", 1024), slot("ours", 2048, active=True), slot("busy", 1, active=True))
    after = (slot("left", 3 * 1024**3), slot("ours", 4096), slot("busy", 2, active=True))
    slots = SlotsRecord(before=before, after=after, at_pause={"ours": 512})
    words = Page(certification_page(a_record(slots=slots))).words()
    assert "left nobody reads from it · extended – 1.0 kB 3.0 GB" in words
    assert "ours nobody reads from it · extended 512 bytes 2.0 kB 4.0 kB" in words
    assert "busy" not in words
    only_probed = Page(certification_page(a_record(slots=SlotsRecord(before=before)))).words()
    assert "left nobody reads from it · extended 1.0 kB" in only_probed
    assert "after the tasks were resumed" not in only_probed
    assert "Replication slots" not in Page(certification_page(a_record())).words()


def test_the_summary_puts_what_needs_a_person_first() -> None:
    """What does not run first, then failed, rolled back, refused; certified sources come last."""
    lines = tuple(
        Line(name=outcome.value[:3], outcome=outcome, days_left=days, record="records/x/y")
        for outcome, days in zip(Outcome, (3, 5, 20, 90, None, 1, 2), strict=True)
    )
    summary = Summary(
        execution="arn", mode=Mode.APPLY, origin=Origin.EVENT, reported_at=NOW, lines=lines
    )
    page = Page(summary_page(summary))
    words = page.words().partition("Days left")[2]
    names = ["tas", "fai", "rol", "ref", "pla", "def", "cer"]
    assert sorted(names, key=lambda name: words.index(f" {name} ")) == names
    assert set(page.addresses) == {"#content", "latest.html", "../records/x/y.html"}
    assert "started by an event" in page.words()


def test_an_execution_without_sources_says_so() -> None:
    """A page is never empty."""
    words = Page(summary_page(Summary(execution="arn", reported_at=NOW))).words()
    assert "Nothing was due" in words
