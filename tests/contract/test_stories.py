"""The smoke sees of a stand-in exactly what its switches say, both ways."""

from dataclasses import fields
from typing import Any

import pytest

from sandbox.acm import AcmSwitches, KeyTypeHeld
from sandbox.dms import FailureStyle, Switches
from smoke.book import ACM_QUESTIONS, DEFAULTS, DMS_QUESTIONS, QUESTIONS, Book
from smoke.run import tell
from smoke.stories import STORIES, Story
from tests.contract.conftest import PASSWORD, Start


def flipped(name: str) -> Any:
    """Another value of a switch."""
    match DEFAULTS[name]:
        case bool(value):
            return not value
        case float():
            return 7.0
        case FailureStyle():
            return FailureStyle.PROVIDER
        case KeyTypeHeld():
            return KeyTypeHeld.WHEN_IN_USE
        case other:
            raise AssertionError(f"no other value for {name}: {other}")


def story_of(name: str) -> Story:
    """The story that answers a question."""
    (story,) = (story for story in STORIES if name in story.answers)
    return story


def unheld(book: Book) -> list[str]:
    """What did not hold, readably."""
    return [f"{check.sentence}: {check.seen}" for check in book.checks if not check.holds]


def test_every_switch_is_a_question_of_exactly_one_story() -> None:
    """What the stand-in can play in two ways, the smoke asks; nothing is asked twice."""
    assert set(DMS_QUESTIONS) == {one.name for one in fields(Switches)}
    assert set(ACM_QUESTIONS) < {one.name for one in fields(AcmSwitches)}
    assert sorted(QUESTIONS) == sorted(name for story in STORIES for name in story.answers)


def test_the_whole_smoke_sees_the_defaults(start: Start) -> None:
    """All stories: every question is answered as the stand-ins are set, and all checks hold."""
    ground = start()
    book = tell(ground.account)
    assert book.ended == {}
    assert unheld(book) == []
    assert {name: seen.value for name, seen in book.seen.items()} == DEFAULTS
    assert (book.switches(), book.acm_switches()) == (Switches(), AcmSwitches())
    assert book.holds
    assert ground.is_empty
    assert len(book.checks) > 30
    assert PASSWORD not in repr(book)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_switch_that_is_turned_is_seen(start: Start, name: str) -> None:
    """One switch the other way: the story that asks for it answers so, and nothing stays behind."""
    value = flipped(name)
    story = story_of(name)
    told = {name: value}
    ground = (
        start(dms=Switches(**told)) if name in DMS_QUESTIONS else start(acm=AcmSwitches(**told))
    )
    book = tell(ground.account, [story])
    assert book.ended == {}
    assert unheld(book) == []
    assert book.seen[name].value == value
    assert ground.is_empty
