"""The fleet page as values: what is on it, in which order, and how large it gets."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.certificate.facts import Leaf
from certifier.diagnosis import finding
from certifier.fleet.digest import CertificateDigest, Digest, Digests, VerdictDigest, digest
from certifier.fleet.expiry import Kind
from certifier.fleet.facts import InstallationFacts, SourceFacts
from certifier.fleet.page import FleetPage, fleet_page
from certifier.fleet.status import Lateness, Status, Tone, lateness
from certifier.models import Finding
from certifier.report.fleet import LIMIT, console_address, fleet_html
from certifier.run.history import History, PastRun
from certifier.run.state import Breaker, SourceState
from certifier.vocabulary import Cause, Outcome, Severity, SslMode, Witness
from sandbox.fleet import fleet
from tests.days import share

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def found(cause: Cause, seen: str = "seen", severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.PROBE, seen=seen, severity=severity)


def a_source(name: str, outcome: Outcome | None = Outcome.CERTIFIED, **state: Any) -> SourceFacts:
    digest = state.pop("digest", None)
    known = SourceState(name=name, outcome=outcome, **state)
    return SourceFacts(name, None, 1, known, digest)


def a_page(*sources: SourceFacts, **fields: Any) -> FleetPage:
    shown = InstallationFacts("Certifier", lambda key: f"{key}.html", sources, **fields)
    return fleet_page([shown], NOW)


def a_certificate(
    sha256: str, days: int, title: str = "a certificate", life: int = 3650
) -> CertificateDigest:
    ends = NOW + days * DAY
    return CertificateDigest(
        sha256=sha256, title=title, not_before=ends - life * DAY, not_after=ends
    )


# -- the answer


@pytest.mark.parametrize(
    ("sources", "headline"),
    [
        ((), "No source is registered yet"),
        ((a_source("a"),), "The source is certified"),
        ((a_source("a"), a_source("b")), "All 2 sources are certified"),
        ((a_source("a"), a_source("b", None)), "No source needs a person"),
        ((a_source("a", Outcome.REFUSED), a_source("b")), "1 of 2 sources needs a person"),
        (
            (a_source("a", Outcome.REFUSED), a_source("b", Outcome.FAILED)),
            "2 of 2 sources need a person",
        ),
    ],
)
def test_the_headline_is_the_answer(sources: tuple[SourceFacts, ...], headline: str) -> None:
    """In one line, for whoever reads no further."""
    assert a_page(*sources).headline == headline


def test_the_worst_comes_first() -> None:
    """A stopped task, then what failed, was rolled back, was refused; then what waits."""
    page = a_page(
        a_source("new", None),
        a_source("good"),
        a_source("planned", Outcome.PLANNED),
        a_source("refused", Outcome.REFUSED),
        a_source("back", Outcome.ROLLED_BACK),
        a_source("failed", Outcome.FAILED),
        a_source("stopped", pending_restarts=("arn:task",)),
    )
    order = ["stopped", "failed", "back", "refused", "planned", "new", "good"]
    assert [row.name for row in page.rows] == order
    assert [need.rows[0].name for need in page.needs] == order[:4]
    assert page.needing == 4
    assert page.tone is Tone.BAD


def test_equal_reasons_are_one_row_with_what_to_do() -> None:
    """Six sources with one unknown CA are one thing to do."""
    refused = [
        a_source(name, Outcome.REFUSED, findings=(found(Cause.UNKNOWN_AUTHORITY),))
        for name in ("a", "b", "c")
    ]
    other = a_source("d", Outcome.REFUSED, findings=(found(Cause.HOSTNAME_MISMATCH),))
    page = a_page(*refused, other)
    assert [[row.name for row in need.rows] for need in page.needs] == [["a", "b", "c"], ["d"]]
    assert all(need.next for need in page.needs)
    assert page.needs[0].alike
    assert page.needs[0].next == found(Cause.UNKNOWN_AUTHORITY).remedy


def test_a_warning_that_people_are_notified_of_needs_a_person() -> None:
    """The page and the notices have one rule."""
    weak = found(Cause.KEY_TOO_SMALL, severity=Severity.WARNING)
    advice = found(Cause.MODE_COULD_BE_RAISED, severity=Severity.ADVICE)
    page = a_page(a_source("weak", findings=(weak,)), a_source("good", findings=(advice,)))
    assert [row.name for row in page.rows if row.needs] == ["weak"]


def test_what_only_time_brings_needs_a_person_too() -> None:
    """A certificate that came close to its end since the last run; a source that nothing took."""
    page = a_page(
        a_source("late", expires_at=NOW + 2 * DAY),
        a_source("ended", expires_at=NOW - DAY),
        a_source("forgotten", due_at=NOW - 2 * DAY),
        a_source("soon", due_at=NOW - timedelta(minutes=5), expires_at=NOW + 200 * DAY),
    )
    assert [need.title for need in page.needs] == ["Expired", "Expires soon", "Not run in time"]
    assert page.first_expiry is not None
    assert page.first_expiry.name == "ended"


def test_certified_does_not_say_more_than_was_verified() -> None:
    """That sources verify nothing stands beside "all are certified"."""
    page = a_page(*(a_source(mode, ssl_mode=mode) for mode in ("none", "require", "verify-ca")))
    assert page.headline == "All 3 sources are certified"
    assert "2 connect without verifying who answers." in fleet_html(page)
    assert "without verifying" not in fleet_html(a_page(a_source("a", ssl_mode="verify-full")))


def test_what_is_near_is_named_and_nothing_that_is_far() -> None:
    """Six certificates at most, all of the next twelve months."""
    days = [20, 100, 363, 364, 4000]
    chains = [Digest(record="r", chain=(a_certificate(f"{n:032x}", n),)) for n in days]
    page = a_page(*(a_source(f"s{n}", digest=each) for n, each in enumerate(chains)))
    assert [each.days for each in page.soonest] == [20, 100, 363]
    assert page.lanes[0].later == 2


def test_an_open_breaker_is_never_good() -> None:
    """Even when every source is certified."""
    page = a_page(a_source("a"), breaker=Breaker(open_since=NOW))
    assert page.tone is Tone.WARN
    assert "Changes are stopped" in fleet_html(page)
    assert "sources that ended badly" in fleet_html(page)


@pytest.mark.parametrize(
    "breaker",
    [Breaker(unreadable=True), Breaker(open_since=NOW, opened_by="r", was_unreadable=True)],
)
def test_a_breaker_that_cannot_be_read_is_said_to_be_that(breaker: Breaker) -> None:
    """Nothing ended badly, so nobody is sent to look for it; what puts it right stands there."""
    page = a_page(a_source("a"), breaker=breaker)
    text = fleet_html(page)
    assert "cannot read the circuit breaker" in text
    assert "certifier reset-breaker" in text
    assert "badly" not in text
    assert "since –" not in text


# -- certificates


@pytest.mark.parametrize(
    ("life", "days", "expected"),
    [
        (90, -1, Lateness.EXPIRED),
        (90, 14, Lateness.LATE),
        (90, 15, Lateness.DUE),
        (90, 30, Lateness.DUE),
        (90, 31, Lateness.FINE),
        (6, 1, Lateness.LATE),
        (6, 2, Lateness.DUE),
        (6, 3, Lateness.FINE),
        (3650, 31, Lateness.FINE),
    ],
)
def test_lateness_is_measured_by_the_lifetime(life: int, days: int, expected: Lateness) -> None:
    """A certificate of six days is not late all its life, nor one of ten years for months."""
    ends = NOW + days * DAY
    assert lateness(ends - life * DAY, ends, NOW) is expected


def test_a_ca_knows_who_trusts_it_and_whose_server_uses_it() -> None:
    """The question of every rotation: may the old one go, is the new one everywhere?"""
    old, new = a_certificate("01" * 16, 100, "Old"), a_certificate("02" * 16, 3000, "New")
    both = Digest(record="r", bundle="both", anchor=old, chain=(a_certificate("aa" * 16, 50),))
    ahead = Digest(record="r", bundle="both", anchor=new)
    page = a_page(
        a_source("a", digest=both),
        a_source("b", digest=ahead),
        bundles={"both": (old, new)},
    )
    seen = {
        ca.title: ([row.name for row in ca.serving], [row.name for row in ca.trusting])
        for ca in page.authorities
    }
    assert seen == {"Old": (["a"], ["a", "b"]), "New": (["b"], ["a", "b"])}


def test_every_certificate_that_counts_is_on_the_timeline_once() -> None:
    """A CA that a hundred sources depend on is one mark, with a hundred sources."""
    root, issuing = a_certificate("0a" * 16, 200, "Root"), a_certificate("0b" * 16, 100, "Issuing")
    sources = [
        a_source(
            f"s{n}",
            digest=Digest(
                record="r", chain=(a_certificate(f"{n:032x}", 40 + n), issuing), anchor=root
            ),
            acm_leaf=Leaf(sha256=f"{n:032x}" + "0" * 32, not_after=NOW + (40 + n) * DAY),
        )
        for n in range(3)
    ]
    behind = a_source("acm", acm_leaf=Leaf(sha256="ff" * 32, not_after=NOW + 5 * DAY))
    page = a_page(*sources, behind)
    kinds = [(each.kind, len(each.rows)) for each in page.expiries]
    assert kinds == [
        (Kind.ACM, 1),
        *[(Kind.LEAF, 1)] * 3,
        (Kind.INTERMEDIATE, 3),
        (Kind.ANCHOR, 3),
    ]
    assert {lane.kind: lane.total for lane in page.lanes}[Kind.ANCHOR] == 1
    assert sum(bar.count for lane in page.lanes for bar in lane.bars) == 6


def test_the_identity_says_who_has_another_certificate() -> None:
    """In the secret, served, copied to ACM, and whether DMS trusts where it ends."""
    served, root = a_certificate("aa" * 16, 50), a_certificate("01" * 16, 500)
    same = Digest(record="r", intended="aa" * 16, chain=(served,), anchor=root, bundle="b")
    behind = Digest(record="r", intended="bb" * 16, chain=(served,), anchor=root, bundle="c")
    page = a_page(
        a_source("same", digest=same),
        a_source("zz-behind", digest=behind),
        bundles={"b": (root,), "c": (a_certificate("02" * 16, 500),)},
    )
    first, second = ([(each.who, each.tone) for each in row.identity] for row in page.rows)
    assert first == [("in the secret or in ACM, served", Tone.GOOD), ("trusted by DMS", Tone.GOOD)]
    assert second == [
        ("served", None),
        ("in the secret or in ACM", Tone.WARN),
        ("trusted by DMS", Tone.WARN),
    ]


def test_the_strictest_mode_is_the_strictest_that_connects() -> None:
    """And only a stricter one than the present one is offered."""
    good, bad = VerdictDigest(passed=True, seen="x"), VerdictDigest(passed=False, seen="y")
    verdicts = {"require": good, "verify-ca": good, "verify-full": bad}
    seen = Digest(record="r", verdicts=verdicts)
    page = a_page(
        a_source("a", ssl_mode="require", digest=seen),
        a_source("b", ssl_mode="verify-ca", digest=seen),
        a_source("c", ssl_mode="none"),
    )
    assert [(row.strictest, row.could_be_raised) for row in page.rows] == [
        (SslMode.VERIFY_CA, True),
        (SslMode.VERIFY_CA, False),
        (None, False),
    ]
    assert [row.name for row in page.raisable] == ["a"]


# -- days, groups, installations


def test_a_day_counts_each_source_once() -> None:
    """By its worst run of that day, for the last 90 days."""
    runs = [
        (0, Outcome.FAILED),
        (0, Outcome.CERTIFIED),
        (89, Outcome.REFUSED),
        (90, Outcome.FAILED),
    ]
    history = History()
    for ago, outcome in reversed(runs):
        history = history.after(PastRun(at=NOW - ago * DAY, outcome=outcome))
    page = a_page(a_source("a", history=history), a_source("b"))
    assert len(page.days) == 90
    assert (page.days[-1].day, page.days[-1].bad, page.days[-1].ran) == (NOW.date(), 1, 1)
    assert (page.days[0].warn, page.days[0].ran) == (1, 1)
    assert sum(day.ran for day in page.days) == 2


def test_a_team_finds_its_own() -> None:
    """Names that begin alike are a group; those that begin like no other are together."""
    names = ("orders-a", "orders-b", "payments-a", "payments-b", "alone", "single-one")
    page = a_page(*(a_source(name) for name in names), a_source("orders-c", Outcome.FAILED))
    groups = {group.name: [row.name for row in group.rows] for group in page.groups}
    assert list(groups) == ["orders", "payments", "others"]
    assert groups["orders"] == ["orders-c", "orders-a", "orders-b"]
    assert page.groups[0].needing == 1


def test_several_installations_are_one_page() -> None:
    """Sources of one name in two of them stay two; one that cannot be read is said to be so."""
    shown = [
        InstallationFacts("one", lambda key: f"1/{key}", (a_source("orders", record="r"),)),
        InstallationFacts("two", lambda key: f"2/{key}", (a_source("orders", Outcome.FAILED),)),
        InstallationFacts("three", str, problem="there is no stack <b>"),
    ]
    page = fleet_page(shown, NOW)
    html = fleet_html(page)
    assert len({row.id for row in page.rows}) == 2
    assert {row.place for row in page.rows} == {"one", "two"}
    assert page.tone is Tone.BAD
    assert "three could not be read" in html
    assert "there is no stack &lt;b&gt;" in html
    assert re.findall(r'href="([^"]*/r)"', html) == ["1/r"]


# -- the digest of a record


def of_fleet(count: int = 30) -> list[tuple[str, bytes]]:
    return [
        (str(member.state.record), member.record.model_dump_json().encode())
        for member in fleet(count, NOW)
        if member.record is not None
    ]


def test_a_digest_is_small_and_is_read_again() -> None:
    """What is kept beside the page, for every source."""
    digests, bundles = {}, {}
    for key, body in of_fleet():
        known, trusted = digest(key, body)
        assert known.readable
        assert known.endpoint
        digests[key] = known
        bundles[str(known.bundle)] = trusted
    kept = Digests(of=digests, bundles=bundles)
    body = kept.model_dump_json(exclude_none=True).encode()
    assert len(body) / len(digests) < 2600
    assert Digests.read(body) == kept


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: None,
        lambda body: b"{",
        lambda body: b'{"format": "certifier.certification/9"}',
        lambda body: json.dumps({**json.loads(body), "mode": "plan"}).encode(),
    ],
)
def test_what_is_not_a_record_is_a_digest_that_says_so(
    spoil: Callable[[bytes], bytes | None],
) -> None:
    """It must not be read again for every page, and must not spoil the page."""
    key, body = of_fleet(1)[0]
    known, trusted = digest(key, spoil(body))
    assert (known.record, known.readable, trusted) == (key, False, ())
    fleet_html(a_page(a_source("a", record=key, digest=known)))


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b'{"format": "certifier.fleet/0"}'])
def test_kept_digests_of_another_version_are_not_used(body: bytes | None) -> None:
    """They are a cache: the records are read again."""
    assert Digests.read(body) == Digests()


def test_a_run_that_saw_nothing_keeps_what_an_earlier_one_saw() -> None:
    """A secret that may not be read does not hide the chain that was served yesterday."""
    earlier = Digest(
        record="r1",
        recorded_at=NOW - DAY,
        probed_at=NOW - DAY,
        chain=(a_certificate("aa" * 16, 50),),
        bundle="b",
        endpoint="orders-source",
    )
    blind = Digest(record="r2", recorded_at=NOW)
    merged = blind.with_earlier(earlier)
    assert (merged.record, merged.chain, merged.probed_at, merged.bundle) == (
        "r2",
        earlier.chain,
        earlier.probed_at,
        "b",
    )
    seeing = blind.model_copy(update={"probed_at": NOW, "endpoint": "x"})
    assert seeing.with_earlier(earlier).chain == ()


# -- as HTML


def the_fleet(count: int) -> FleetPage:
    """The page of a fleet, through the digests of its records."""
    facts, bundles = [], {}
    for member in fleet(count, NOW):
        known = None
        if member.record is not None and member.state.record is not None:
            known, trusted = digest(member.state.record, member.record.model_dump_json().encode())
            bundles[str(known.bundle)] = trusted
        facts.append(SourceFacts(member.spec.name, member.spec, 1, member.state, known))
    return a_page(*facts, bundles=bundles)


@pytest.mark.slow
def test_a_thousand_sources_fit_into_three_megabytes() -> None:
    """With a sheet for each, and no sheet cut short."""
    count = share(1000)
    html = fleet_html(the_fleet(count))
    assert len(html.encode()) < LIMIT
    assert html.count('class="sheet"') == count
    assert "there was no room for more" not in html


@pytest.mark.slow
def test_sheets_for_which_there_is_no_room_name_the_record() -> None:
    """The worst sources keep theirs; the page stays near its limit, whatever is in it."""
    long = "x" * 1000
    facts = [
        a_source(
            f"s{number}",
            Outcome.CERTIFIED if number else Outcome.FAILED,
            record=f"records/s{number}/r",
            findings=tuple(found(Cause.KEY_TOO_SMALL, long) for _ in range(8)),
        )
        for number in range(1500)
    ]
    html = fleet_html(a_page(*facts))
    assert html.count('class="sheet"') == 1500
    assert len(html.encode()) < LIMIT * 1.02
    assert "there was no room for more" in html
    assert "there was no room" not in html.partition('id="s-s0"')[2].partition("</section>")[0]


def test_every_status_has_a_look() -> None:
    """A colour and a shape, so that no reader depends on either."""
    html = fleet_html(the_fleet(3))
    for status in Status:
        assert f".s{status.rank} {{ --icon: url(" in html


def test_the_console_address_opens_the_object() -> None:
    """In the partition and Region of the bucket, the key quoted."""
    where = ("eu-west-1", "a-bucket", "records/a b/x.html")
    assert console_address("aws", *where) == (
        "https://eu-west-1.console.aws.amazon.com/s3/object/a-bucket"
        "?region=eu-west-1&prefix=records%2Fa+b%2Fx.html"
    )
    assert ".console.amazonaws.cn/" in console_address("aws-cn", *where)
