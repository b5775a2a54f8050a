"""What a test of DMS means is read once, from its own words; shown is only what was cleaned."""

from certifier.diagnosis import CATALOGUE
from certifier.run.documents import CanaryWork
from certifier.steps.proving import _understood
from certifier.vocabulary import Cause, Stage

EARLIER = (
    '{"tests": [{"instance_arn": "arn:r", "passed": false, "message": '
    '"SSL error: certificate verify failed", "deleted": false, "full": false}]}'
)


def test_what_an_earlier_version_left_is_diagnosed_from_its_text() -> None:
    """A run goes on from it while a new version is deployed."""
    (test,) = CanaryWork.model_validate_json(EARLIER).tests or ()
    assert test.cause is None
    said = _understood(test, test.message or "")
    assert (said.cause, said.stage) == (Cause.CERTIFICATE_REJECTED, Stage.TLS)


def test_words_that_are_hidden_are_replaced_by_those_of_the_catalogue() -> None:
    """They quote nothing, so nothing of a secret can stand in them in another form."""
    (test,) = CanaryWork.model_validate_json(EARLIER).tests or ()
    test = test.model_copy(update={"cause": Cause.CERTIFICATE_REJECTED, "stage": Stage.TLS})
    said = _understood(test, "SSL error: *** verify failed")
    assert (said.cause, said.stage) == (Cause.CERTIFICATE_REJECTED, Stage.TLS)
    assert said.seen == CATALOGUE[Cause.CERTIFICATE_REJECTED].why
