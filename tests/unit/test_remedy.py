"""What a person is advised to type, with the name of their source in it."""

from certifier.diagnosis import CATALOGUE
from certifier.run.remedy import of_source
from certifier.vocabulary import Cause


def test_a_command_of_ours_gets_the_name() -> None:
    """In the middle of the night nobody has to know which NAME is meant."""
    remedy = of_source(CATALOGUE[Cause.TASK_NOT_RESTARTED].remedy, "orders")
    assert "`certifier certify orders`" in remedy
    assert "NAME" not in remedy


def test_names_of_other_things_stay() -> None:
    """A file, a filter of the aws command, a word that only begins so."""
    for text in ("`aws x --filters Name=a,Values=NAME`", "`certifier certify NAMES`", "NAME"):
        assert of_source(text, "orders") == text


def test_what_is_not_a_name_is_not_put_into_a_command() -> None:
    """It may have been written into the table by somebody."""
    remedy = CATALOGUE[Cause.TASK_NOT_RESTARTED].remedy
    assert of_source(remedy, "orders; rm -r ~") == remedy
