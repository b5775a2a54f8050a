"""A server, or who writes a bundle, chooses what a certificate says: not what people read of it."""

from datetime import UTC, datetime

import pytest

from certifier.certificate import CertificateFacts, Names, certificate_facts, policy_findings
from certifier.certificate.intake import check_material
from certifier.diagnosis import finding
from certifier.models import Finding, Policy
from certifier.report import certification_page
from certifier.run.anchors import not_approved
from certifier.run.dossier import Dossier
from certifier.run.ending import ending
from certifier.run.foremost import foremost
from certifier.run.mail import about_findings
from certifier.run.weakening import event_key
from certifier.text import listed
from certifier.vocabulary import Cause, Outcome, Severity, SslMode, Witness
from sandbox.pki import Authority
from tests.aws.certifications import probe_report
from tests.unit.situations import situation
from tests.unit.test_report import Page, a_record

NOW = datetime.now(UTC)
ASTRAL = "\U00010000"  # printable, and four bytes in UTF-8
ROOT = Authority.root("Example root")


def facts(number: int, **changes: object) -> CertificateFacts:
    """Return a certificate whose subject and issuer fill whatever there is."""
    whole = {
        "sha256": f"{number:064x}",
        "subject": "O=" + ASTRAL * 1022,
        "issuer": "O=" + ASTRAL * 1022,
        **changes,
    }
    return CertificateFacts.model_validate(whole)


def test_a_finding_says_more_than_a_long_name() -> None:
    """What is wrong stands behind the name, and is read all the same."""
    odd = facts(1, key="RSA_1024", key_bits=1024, signature_hash="sha1")
    seen = [one.seen for one in policy_findings((odd,), Policy(), NOW, Witness.PROBE)]
    assert any("1024 bits" in each for each in seen)
    assert any("signed with sha1" in each for each in seen)


def test_an_intake_says_more_than_long_names() -> None:
    """Of a leaf whose issuer is missing, that it is."""
    leaf = ROOT.issue(dns=["h"])
    other = Authority.root("O" * 64, organization="P" * 64)
    checked = check_material(
        certificate=other.issue(dns=[b"\xff" * 900, "h"]).certificate_pem,
        private_key=leaf.key_pem,
        chain=None,
        ca=ROOT.certificate_pem,
        host="db.example.com",
        ssl_mode=SslMode.VERIFY_FULL,
        now=NOW,
        policy=Policy(),
    )
    seen = {one.cause: one.seen for one in checked.findings}
    assert "DNS:h" in seen[Cause.HOSTNAME_MISMATCH]


def _event(*names: str) -> tuple[str, str]:
    """Return what people are notified of, and by what that is remembered."""
    end = ending(Dossier(new_anchors=names), None, run="run")
    (found,) = (one for one in end.findings if one.cause is Cause.NEW_TRUST_ANCHOR)
    return found.seen, event_key(found, 1)


def test_each_new_anchor_is_an_event_whatever_it_is_called() -> None:
    """Two CAs with one long name are two events: people are notified of the second one too."""
    one, other = (f"{facts(n).title} (SHA-256 {facts(n).sha256})" for n in (1, 2))
    (seen, key), (seen_too, key_too) = _event(one), _event(other)
    assert facts(1).sha256 in seen
    assert facts(2).sha256 in seen_too
    assert key != key_too


def test_new_anchors_that_have_no_room_are_counted() -> None:
    """Nobody hides one behind others: another one in its place is another event."""
    names = [f"{facts(n).title} (SHA-256 {facts(n).sha256})" for n in range(31)]
    seen, key = _event(*names[:30])
    assert facts(2).sha256 in seen
    assert "; and 27 more (SHA-256 of all of it: " in seen
    assert key != _event(*names[:29], names[30])[1]


def test_a_command_approves_no_ca_that_is_not_shown_beside_it() -> None:
    """Whoever compares what they read approves that, and nothing else."""
    found = not_approved("orders", tuple(facts(10**60 + n * 10**50) for n in range(5)))
    command, shown = found.seen.split("` approves no other: ")
    approved = command.split("`certifier approve orders ")[1].split()
    assert approved
    assert all(f"(SHA-256 {each}" in shown for each in approved)
    assert f"and {5 - len(approved)} more" in shown


def test_of_thousands_of_names_a_hundred_are_kept() -> None:
    """The rest is counted; so is what is too long."""
    leaf = ROOT.issue(dns=["h", *(f"n{number}.example.com" for number in range(3000))])
    names = certificate_facts(leaf.certificate_der).names
    assert names.dns[0] == "h"
    assert (len(names.dns), names.more) == (100, 2901)
    long = certificate_facts(ROOT.issue(dns=["h", b"\xff" * 60_000, "i"]).certificate_der).names
    assert (long.dns[0], long.dns[2], long.more) == ("h", "i", 0)
    assert len(long.dns[1]) == 300
    many = Names(dns=("x" * 1000,) * 3000, ips=("0x" + "f" * 100_000,)).bounded()
    assert sum(map(len, many.dns + many.ips)) <= 8_192
    assert len(many.dns) + len(many.ips) + many.more == 3001


@pytest.mark.parametrize("character", [ASTRAL, "&", "<"])
def test_a_page_stays_a_page(character: str) -> None:
    """Twenty certificates with all that they can say: the outcome and cause are read at once."""
    many = Names(dns=(character * 1000,) * 3000).bounded()
    chain = tuple(
        facts(n, subject=character * 1024, issuer=character * 1024, names=many) for n in range(20)
    )
    report = probe_report(False)
    report = report.model_copy(
        update={"evidence": report.evidence.model_copy(update={"chain": chain})}
    )
    record = a_record(outcome=Outcome.REFUSED, probe=report.model_dump(mode="json", by_alias=True))
    page = certification_page(record)
    assert len(page.encode()) < 250_000
    assert "(3000 in all)" in Page(page).words()


def _small_keys(count: int) -> tuple[Finding, ...]:
    return tuple(
        finding(Cause.KEY_TOO_SMALL, place=Witness.PROBE, seen=f"{n} {ASTRAL * 1000}", raw="x")
        for n in range(count)
    )


def test_what_is_kept_of_many_findings_is_what_matters() -> None:
    """Of a hundred of one cause some go, of the others none; all fits an item of the table."""
    error = finding(Cause.PASSWORD_REJECTED, place=Witness.DMS_TEST, seen="DMS says no")
    other = finding(Cause.DIFFERENT_NODE_ANSWERS, place=Witness.PROBE, seen="another one")
    given = (*_small_keys(100), other, error)
    kept = foremost(given, count=50, room=100_000)
    assert {error, other} <= set(kept)
    assert len("".join(each.seen + each.remedy for each in kept).encode()) < 110_000
    assert list(kept) == [each for each in given if each in kept]
    assert foremost((error, other), count=50, room=100_000) == (error, other)


def test_a_mail_names_each_cause_before_one_repeats() -> None:
    """Nobody pushes a finding out of the mail by certificates with small keys."""
    small = [
        finding(Cause.KEY_TOO_SMALL, place=Witness.PROBE, seen=f"CN={n} has 1024 bits " + "x" * 600)
        for n in range(20)
    ]
    other = finding(
        Cause.ENDPOINT_MOVED, place=Witness.PLAN, seen="moves", severity=Severity.WARNING
    )
    message = about_findings(situation(), Outcome.CERTIFIED, (*small, other)).message
    assert "endpoint_moved" in message
    assert "key_too_small" in message


def test_a_list_says_at_least_one_and_counts_the_rest() -> None:
    """As many as fit."""
    assert listed(["a", "b"]) == "a; b"
    assert listed(["a" * 900, "b"]) == "a" * 900 + "; and 1 more"
    assert listed(["a", "b", "c"], most=2, separator=", ") == "a, b, and 1 more"
    assert listed([]) == ""
