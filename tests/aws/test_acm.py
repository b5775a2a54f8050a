"""The ACM adapter against ACM's rules: renew, replace, find again, lost answers, ambiguity."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import moto
import pytest

from certifier.aws.acm import Acm, Pair, Reconciled
from certifier.aws.clients import Clients
from certifier.errors import Refused, Throttled, Unavailable, Unexpected
from certifier.ownership import SOURCE_TAG, STACK_TAG
from certifier.vocabulary import Cause
from sandbox.acm import AcmStandIn, AcmSwitches
from sandbox.aws import fast
from sandbox.pki import Authority, Key, Leaf
from tests.aws.faults import Faults, Kind, injected

HOST = "orders.db.example.com"
ISSUING = Authority.root("Example root").intermediate("Example issuing CA")
TAGS = {SOURCE_TAG: "orders", STACK_TAG: "Certifier"}


@dataclasses.dataclass
class World:
    """The adapter, ACM behind it, and the faults between them; time moves with every call."""

    acm: Acm
    standin: AcmStandIn
    faults: Faults
    client: Any

    def reconcile(
        self, leaf: Leaf, remembered: str | None = None, unsettled: str | None = None
    ) -> Reconciled:
        return self.acm.reconcile("orders", pair(leaf), remembered=remembered, unsettled=unsettled)

    def again(self, leaf: Leaf, last: Reconciled) -> Reconciled:
        """The next good run, which remembers what the last one said."""
        return self.reconcile(leaf, last.arn, last.unsettled)

    def put(
        self, leaf: Leaf, source: str | None = "orders", stack: str | None = "Certifier"
    ) -> str:
        """Import behind the adapter's back."""
        given = {SOURCE_TAG: source, STACK_TAG: stack if source else None, "team": "x"}
        tags = [{"Key": key, "Value": value} for key, value in given.items() if value]
        answer = self.client.import_certificate(
            Certificate=leaf.certificate_pem,
            PrivateKey=leaf.key_pem,
            CertificateChain=leaf.chain_pem,
            Tags=tags,
        )
        return str(answer["CertificateArn"])

    @property
    def writes(self) -> list[str]:
        """The calls that changed something, retries included."""
        reads = ("Get", "List", "Describe")
        return [call for call in self.faults.calls if not call.startswith(reads)]


def pair(leaf: Leaf) -> Pair:
    return Pair(
        certificate=leaf.certificate_pem.decode(),
        chain=leaf.chain_pem.decode(),
        private_key=lambda: leaf.key_pem,
    )


Start = Callable[..., World]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(moto.mock_aws())

        def started(*, frozen: bool = False, **switches: Any) -> World:
            now = datetime.now(UTC).timestamp()
            ticks = itertools.repeat(now) if frozen else itertools.count(now)
            standin = AcmStandIn(switches=AcmSwitches(**switches), clock=lambda: next(ticks))
            stack.enter_context(standin.installed())
            client: Any = Clients(fast.session(standin.region)).client("acm")
            return World(Acm(client, "Certifier"), standin, stack.enter_context(injected()), client)

        yield started


def test_a_first_import_is_tagged(start: Start) -> None:
    """A new ARN with the source's tag; the pair as it is, chain included; the key not shown."""
    world = start()
    leaf = ISSUING.issue([HOST])
    first = world.reconcile(leaf)
    assert first.changed
    assert world.acm.tags(first.arn) == TAGS
    found = world.acm.certificate(first.arn)
    assert found is not None
    assert (found.sha256, found.key_type) == (leaf.fingerprint, "EC_prime256v1")
    assert found.names == {HOST}
    assert found.not_after == leaf.certificate.not_valid_after_utc
    stored = world.client.get_certificate(CertificateArn=first.arn)
    assert stored["CertificateChain"].encode() == leaf.chain_pem
    assert "PRIVATE KEY" not in repr(pair(leaf))


def test_an_unchanged_pair_is_one_read(start: Start) -> None:
    """Nothing is written, the key is not asked for, and ACM is asked once."""
    world = start()
    leaf = ISSUING.issue([HOST])
    settled = world.again(leaf, world.reconcile(leaf))
    world.faults.calls.clear()

    def never() -> bytes:
        raise AssertionError("the private key was read")

    quiet = dataclasses.replace(pair(leaf), private_key=never)
    last = world.acm.reconcile("orders", quiet, remembered=settled.arn)
    assert last == Reconciled(arn=settled.arn, changed=False)
    assert world.faults.calls == ["GetCertificate"]


def test_a_renewal_keeps_the_arn(start: Start) -> None:
    """Same key type, a common name: re-imported without tags, which stay."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST]))
    renewed = ISSUING.issue([HOST, "more.example.com"])
    second = world.again(renewed, first)
    assert (second.arn, second.changed) == (first.arn, True)
    assert world.acm.fingerprint(first.arn) == renewed.fingerprint
    assert world.acm.tags(first.arn) == TAGS
    assert len(world.standin.certificates()) == 1


def test_every_name_counts_for_a_renewal(start: Start) -> None:
    """Of a record a hundred are kept; whether a name is common is asked of all."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST]))
    many = [f"n{number:03d}.example.com" for number in range(120)]
    renewed = world.again(ISSUING.issue([*many, HOST]), first)
    assert (renewed.arn, renewed.changed) == (first.arn, True)


@pytest.mark.parametrize(
    "replacement",
    [
        ISSUING.issue([HOST], key=Key.RSA_3072),
        ISSUING.issue([HOST], key=Key.EC_P256),
        ISSUING.issue(["new.example.com"], key=Key.RSA_2048),
    ],
    ids=["size", "type", "names"],
)
def test_a_change_that_acm_does_not_take_makes_a_new_arn(start: Start, replacement: Leaf) -> None:
    """The old certificate stays until the next good run, and then goes, since nothing uses it."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST], key=Key.RSA_2048))
    second = world.again(replacement, world.again(ISSUING.issue([HOST], key=Key.RSA_2048), first))
    assert second.changed
    assert second.arn != first.arn
    assert set(world.standin.certificates()) == {first.arn, second.arn}
    third = world.again(replacement, second)
    assert third == Reconciled(arn=second.arn, changed=False, removed=(first.arn,))
    assert set(world.standin.certificates()) == {second.arn}


def test_an_old_certificate_in_use_stays(start: Start) -> None:
    """It is looked at again in every good run, and goes once nothing uses it."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST], key=Key.RSA_2048))
    world.standin.set_in_use(first.arn, "balancer")
    leaf = ISSUING.issue([HOST])
    second = world.reconcile(leaf, first.arn)
    third = world.again(leaf, second)
    assert (third.removed, third.unsettled) == ((), first.arn)
    world.standin.set_in_use(first.arn)
    fourth = world.again(leaf, third)
    assert (fourth.removed, fourth.unsettled) == ((first.arn,), None)


def test_a_lost_arn_is_found_by_its_tag(start: Start) -> None:
    """Also an EC certificate, which a plain list does not show."""
    world = start()
    leaf = ISSUING.issue([HOST])
    first = world.reconcile(leaf)
    world.put(ISSUING.issue([HOST]), source="someone-else")
    world.put(ISSUING.issue([HOST]), source=None)
    same = world.reconcile(leaf)
    assert (same.arn, same.changed) == (first.arn, False)


def test_what_only_a_tag_says_is_ours_is_never_written_over(start: Start) -> None:
    """Whoever may tag could otherwise have their certificate replaced, or somebody's balancer's."""
    world = start()
    leaf, renewed = ISSUING.issue([HOST]), ISSUING.issue([HOST])
    theirs = world.put(leaf)
    before = world.acm.fingerprint(theirs)
    made = world.reconcile(renewed)
    assert made.changed
    assert (made.arn != theirs, made.others) == (True, (theirs,))
    assert world.acm.fingerprint(theirs) == before
    assert world.again(renewed, made).removed == ()
    assert set(world.standin.certificates()) == {theirs, made.arn}


def test_what_a_load_balancer_uses_is_not_adopted(start: Start) -> None:
    """Although it is the very same certificate: the next renewal would be theirs, too."""
    world = start()
    leaf = ISSUING.issue([HOST])
    theirs = world.put(leaf)
    world.standin.set_in_use(theirs, "balancer")
    made = world.reconcile(leaf)
    assert (made.changed, made.others) == (True, (theirs,))


def test_an_arn_that_is_gone_is_replaced(start: Start) -> None:
    """What somebody deleted in ACM is imported anew."""
    world = start()
    leaf = ISSUING.issue([HOST])
    first = world.reconcile(leaf)
    world.client.delete_certificate(CertificateArn=first.arn)
    second = world.again(leaf, first)
    assert second.changed
    assert second.arn != first.arn


def test_a_lost_answer_of_a_first_import_is_adopted(start: Start) -> None:
    """The import happened once, was not tried again, and the next call finds it by its tag."""
    world = start()
    leaf = ISSUING.issue([HOST])
    world.faults.inject("ImportCertificate", Kind.AFTER)
    with pytest.raises(Unavailable):
        world.reconcile(leaf)
    assert world.faults.calls.count("ImportCertificate") == 1
    adopted = world.reconcile(leaf)
    assert not adopted.changed
    assert list(world.standin.certificates()) == [adopted.arn]


def test_a_lost_answer_of_a_replacement_is_adopted(start: Start) -> None:
    """The store still says the old ARN: the new one is found, and the old one goes afterwards."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST], key=Key.RSA_2048))
    leaf = ISSUING.issue([HOST])
    world.faults.inject("ImportCertificate", Kind.AFTER)
    with pytest.raises(Unavailable):
        world.reconcile(leaf, first.arn)
    second = world.reconcile(leaf, first.arn)
    assert (second.changed, second.unsettled) == (False, first.arn)
    third = world.again(leaf, second)
    assert third.removed == (first.arn,)
    assert list(world.standin.certificates()) == [second.arn]


def test_a_lost_answer_of_a_renewal_does_no_harm(start: Start) -> None:
    """A re-import has happened or not; the next call sees which."""
    world = start()
    first = world.reconcile(ISSUING.issue([HOST]))
    leaf = ISSUING.issue([HOST])
    for kind in (Kind.BEFORE, Kind.AFTER):
        world.faults.inject("ImportCertificate", kind)
        with pytest.raises(Unavailable):
            world.again(leaf, first)
    last = world.again(leaf, first)
    assert (last.arn, last.changed) == (first.arn, False)
    assert len(world.standin.certificates()) == 1


def test_a_duplicate_is_named_and_left(start: Start) -> None:
    """Of two imports of one leaf one is kept; that the other is ours, only its tag says."""
    world = start()
    leaf = ISSUING.issue([HOST])
    both = {world.put(leaf), world.put(leaf)}
    kept = world.reconcile(leaf)
    assert not kept.changed
    assert {kept.arn, *kept.others} == both
    assert world.again(leaf, kept).removed == ()
    assert set(world.standin.certificates()) == both


def test_only_our_own_certificates_are_deleted(start: Start) -> None:
    """Another source's, or one without a tag, is left alone even when it is named."""
    world = start()
    leaf = ISSUING.issue([HOST])
    foreign = world.put(leaf, source="someone-else")
    first = world.reconcile(leaf)
    settled = world.reconcile(leaf, first.arn, foreign)
    assert settled.removed == ()
    assert foreign in world.standin.certificates()


def test_what_acm_does_not_take_is_a_finding(start: Start) -> None:
    """`acm_unsuitable` with ACM's own words; nothing of the key among them."""
    world = start()
    leaf = ISSUING.issue([HOST], key=Key.ED25519)
    with pytest.raises(Refused) as caught:
        world.reconcile(leaf)
    assert caught.value.cause is Cause.ACM_UNSUITABLE
    assert "private key is not supported" in caught.value.seen


def test_a_full_account_is_a_finding(start: Start) -> None:
    """`acm_quota`."""
    world = start(imported=0)
    with pytest.raises(Refused) as caught:
        world.reconcile(ISSUING.issue([HOST]))
    assert caught.value.cause is Cause.ACM_QUOTA


def test_another_installation_keeps_its_certificate(start: Start) -> None:
    """Two stacks of one account with a source of one name: neither adopts nor deletes for both."""
    world = start()
    leaf = ISSUING.issue([HOST])
    theirs = Acm(world.client, "Staging").reconcile("orders", pair(leaf), remembered=None)
    ours = world.again(leaf, world.reconcile(leaf))
    assert ours.arn != theirs.arn
    assert world.acm.fingerprint(theirs.arn) == leaf.fingerprint
    assert not world.acm.delete_if_unused(theirs.arn, "orders")


def test_what_a_person_has_tagged_is_adopted_by_one_installation_alone(start: Start) -> None:
    """The first that finds it tags it; from then on it is its own, to delete as well."""
    world = start()
    leaf = ISSUING.issue([HOST])
    arn = world.put(leaf, stack=None)
    assert not world.acm.delete_if_unused(arn, "orders")
    assert world.reconcile(leaf).arn == arn
    assert world.acm.tags(arn) == {**TAGS, "team": "x"}
    theirs = Acm(world.client, "Staging").reconcile("orders", pair(leaf), remembered=None)
    assert theirs.arn != arn
    assert world.acm.delete_if_unused(arn, "orders")


def test_imports_too_fast_are_throttled(start: Start) -> None:
    """One import a second: the second is Throttled, and left to the machine's back-off."""
    world = start(frozen=True)
    world.reconcile(ISSUING.issue([HOST]))
    with pytest.raises(Throttled):
        world.acm.reconcile("next", pair(ISSUING.issue([HOST])), remembered=None)


def test_every_page_is_read(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of ours behind others is found; those without a common name cost no call."""
    monkeypatch.setattr("certifier.aws.acm._PAGE", 2)
    world = start()
    leaf = ISSUING.issue([HOST])
    for number in range(3):
        world.put(ISSUING.issue([f"other-{number}.example.com"]))
    first = world.reconcile(leaf)
    world.faults.calls.clear()
    assert world.reconcile(leaf).arn == first.arn
    assert world.faults.calls.count("ListCertificates") == 2
    assert world.faults.calls.count("ListTagsForCertificate") == 1


def test_pages_that_never_end_are_an_error() -> None:
    """A service that always has one more page does not hold us for ever."""

    class Endless:
        pages = 0

        def list_certificates(self, **params: Any) -> dict[str, Any]:
            self.pages += 1
            return {"CertificateSummaryList": [], "NextToken": str(self.pages)}

    endless: Any = Endless()
    with pytest.raises(Unexpected, match="pages"):
        Acm(endless, "Certifier").reconcile("orders", pair(ISSUING.issue([HOST])), remembered=None)
    assert endless.pages == 20
