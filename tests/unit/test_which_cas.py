"""How history names the CAs of a change: which came, which went, and which are trusted again."""

from datetime import timedelta

import pytest

from certifier.certificate import CertificateFacts
from certifier.run.documents import Change
from certifier.run.intent import Ca, IntendedChange, Intent, Would
from certifier.run.past import past
from certifier.run.record import TrustChange, TrustRecord
from certifier.run.which_cas import which_cas
from certifier.vocabulary import Outcome
from tests.unit.test_past import NOW, record

CHANGE = Change(field="certificate", old="a" * 64, new="b" * 64)


def ca(number: int, name: str = "") -> Ca:
    return Ca(subject=f"CN={name or f'Orders CA {number}'},O=Example", sha256=f"{number:08x}" * 8)


def facts(number: int) -> CertificateFacts:
    return CertificateFacts(
        subject=ca(number).subject,
        issuer=ca(number).subject,
        serial="1",
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        key="ecdsa-256",
        signature="sha256",
        sha256=ca(number).sha256,
    )


def trust(*numbers: int) -> TrustRecord:
    return TrustRecord(anchors=tuple(map(facts, numbers)))


def test_a_rollback_names_the_ca_that_failed_and_the_one_that_is_trusted_again() -> None:
    """Orders CA 5 was tried; the endpoint trusts Orders CA 4."""
    of = TrustChange(added=(ca(5),), removed=(ca(4),))
    one = record(
        Outcome.ROLLED_BACK,
        changes=(CHANGE,),
        rolled_back=True,
        trust=trust(4),
        trust_change=of,
    )
    assert past([one])[0].what.endswith("Orders CA 5 → back to Orders CA 4")


def test_a_rollback_of_an_earlier_version_names_what_is_trusted_again() -> None:
    """Its record says which digests were changed, not which CAs they hold."""
    one = record(Outcome.ROLLED_BACK, changes=(CHANGE,), rolled_back=True, trust=trust(4))
    assert past([one])[0].what.endswith("trusted CAs, rolled back to Orders CA 4")


def test_a_change_names_both_without_the_record_before_it() -> None:
    """What is kept is on both sides."""
    of = TrustChange(removed=(ca(2),))
    one = record(
        Outcome.CERTIFIED, changes=(CHANGE,), changed=True, trust=trust(3), trust_change=of
    )
    assert past([one])[0].what == "Orders CA 2 + Orders CA 3 → Orders CA 3"


def test_a_plan_names_the_cas_that_it_would_change() -> None:
    """The intent holds both bundles."""
    change = IntendedChange(
        field="certificate", old="a", new="b", old_cas=(ca(2),), new_cas=(ca(3),)
    )
    intent = Intent(would=Would.CHANGE, changes=(change,))
    (line,) = past([record(Outcome.PLANNED, intent=intent)])
    assert line.what == "would change trusted CAs (Orders CA 2 → Orders CA 3)"


@pytest.mark.parametrize(
    ("old", "new", "rolled_back", "says"),
    [
        ((), (ca(1),), False, "none → Orders CA 1"),
        ((ca(1),), (), True, "none → back to Orders CA 1"),
        (
            (ca(1, "Root"),),
            (ca(2, "Root"),),
            False,
            "Root (00000001…) → Root (00000002…)",
        ),
        (
            tuple(map(ca, range(1, 101))),
            tuple(map(ca, range(2, 102))),
            False,
            "added Orders CA 101, removed Orders CA 1, kept 99 CAs",
        ),
        (
            (ca(1),),
            tuple(map(ca, range(1, 7))),
            True,
            "added Orders CA 2 + Orders CA 3 + Orders CA 4 + 2 more, kept 1 CA, rolled back",
        ),
    ],
)
def test_bundles_of_every_size(
    old: tuple[Ca, ...], new: tuple[Ca, ...], rolled_back: bool, says: str
) -> None:
    """None, one, two of one name, and more than anybody reads."""
    assert which_cas(old, new, rolled_back=rolled_back) == says


def test_a_long_name_does_not_push_the_others_out_of_sight() -> None:
    """Whoever names a CA chooses its length."""
    said = which_cas((ca(1, "x" * 4000),), (ca(2),))
    assert said.endswith("… → Orders CA 2")
    assert len(said) < 100
