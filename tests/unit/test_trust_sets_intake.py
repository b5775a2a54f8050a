"""The named sets of roots as the intake takes them, on the day on which they were chosen."""

from datetime import UTC, datetime

import pytest

from certifier.certificate.bundle import trust_bundle
from certifier.certificate.trust_sets import BY_WORD, TrustWord
from certifier.roots import Roots
from certifier.vocabulary import Witness

TAKEN = datetime(2026, 11, 29, tzinfo=UTC)
"""In ten years some of these roots have expired."""

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


@pytest.mark.parametrize("word", [*BY_WORD, TrustWord.PUBLIC])
def test_the_intake_takes_every_set_without_a_finding(word: TrustWord) -> None:
    """Nothing in them was expired then, is not a CA, or cannot be read."""
    pem = Roots().offline(word, None).encode()
    assert trust_bundle(pem, TAKEN, place=Witness.INTAKE).findings == ()
