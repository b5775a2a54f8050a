"""The smoke sees of a stand-in exactly what its switches say, both ways."""

from dataclasses import fields
from typing import Any

import pytest

from certifier.vocabulary import Cause
from sandbox.acm import AcmSwitches, KeyTypeHeld
from sandbox.dms import FailureStyle, Switches
from sandbox.pki import Authority
from smoke.book import ACM_QUESTIONS, DEFAULTS, DMS_QUESTIONS, QUESTIONS, Book
from smoke.run import play
from smoke.stories import STORIES, Story
from tests.contract.conftest import HOST, PASSWORD, Ground, Start


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


def test_the_whole_smoke_sees_the_defaults(played: tuple[Ground, Book]) -> None:
    """All stories: every question is answered as the stand-ins are set, and all checks hold."""
    _, book = played
    assert book.ended == {}
    assert unheld(book) == []
    assert {name: seen.value for name, seen in book.seen.items()} == DEFAULTS
    assert (book.switches(), book.acm_switches()) == (Switches(), AcmSwitches())
    assert book.holds
    assert len(book.checks) > 30
    assert PASSWORD not in repr(book)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_switch_that_is_turned_is_seen(start: Start, name: str) -> None:
    """One switch the other way: the story that asks for it answers so, and nothing stays behind."""
    value = flipped(name)
    story = story_of(name)
    played = {name: value}
    ground = (
        start(dms=Switches(**played)) if name in DMS_QUESTIONS else start(acm=AcmSwitches(**played))
    )
    book = play(ground.account, [story])
    assert book.ended == {}
    assert unheld(book) == []
    assert book.seen[name].value == value
    assert ground.is_empty


def test_everything_turned_at_once_is_seen(start: Start) -> None:
    """All switches the other way together; without a hidden test no delay can be seen."""
    played = {name: flipped(name) for name in QUESTIONS}
    ground = start(
        dms=Switches(**{name: played[name] for name in DMS_QUESTIONS}),
        acm=AcmSwitches(**{name: played[name] for name in ACM_QUESTIONS}),
    )
    book = play(ground.account)
    assert book.ended == {}
    assert unheld(book) == []
    seen = {name: seen.value for name, seen in book.seen.items()}
    assert seen == {name: value for name, value in played.items() if name != "hidden_test_delay"}
    assert ground.is_empty


def test_plain_failures_differ_from_the_other_two(start: Start) -> None:
    """The third form of a failure message is known too."""
    ground = start(dms=Switches(failure_style=FailureStyle.PLAIN))
    book = play(ground.account, [story_of("failure_style")])
    assert book.seen["failure_style"].value == FailureStyle.PLAIN


def test_what_a_hidden_test_hides_is_not_seen(start: Start) -> None:
    """Where DMS tests by itself and takes no change during a test, an old pass cannot be tried."""
    ground = start(dms=Switches(modify_while_testing_accepted=False))
    book = play(ground.account, [story_of("modify_invalidates_pass")])
    assert book.ended == {}
    assert "modify_invalidates_pass" not in book.seen
    assert any("not seen" in words.text for words in book.words)
    assert ground.is_empty


def test_a_stale_verdict_that_outlasts_our_patience_does_not_hold(start: Start) -> None:
    """An account that shows an old verdict longer than we wait for is a warning, not a footnote."""
    ground = start(dms=Switches(old_status_shown_for=20.0))
    book = play(ground.account, [story_of("old_status_shown_for")])
    assert book.seen["old_status_shown_for"].value == 20.0
    (broken,) = unheld(book)
    assert broken.startswith("an old verdict is gone within the 10 s")
    assert not book.holds


def test_an_account_that_ends_arns_otherwise_does_not_hold(start: Start) -> None:
    """What IAM lets a step delete goes by the end of the ARN that was asked for."""
    ground = start()
    plain = ground.dms._operations["CreateEndpoint"]

    def otherwise(params: dict[str, Any]) -> Any:
        return plain({key: value for key, value in params.items() if key != "ResourceIdentifier"})

    ground.dms._operations = {**ground.dms._operations, "CreateEndpoint": otherwise}
    (broken,) = unheld(play(ground.account, [story_of("failure_style")]))
    assert broken.startswith("an endpoint's ARN ends as it was asked to: ")
    assert ground.is_empty


def test_the_words_of_dms_are_read_and_kept(played: tuple[Ground, Book]) -> None:
    """Every failure comes with DMS's own text and the cause that the diagnosis makes of it."""
    _, book = played
    read = {words.situation: words.cause for words in book.words if words.cause}
    assert read == {
        "the CA of the endpoint is another one": Cause.CERTIFICATE_REJECTED,
        "the CA of the endpoint is an intermediate, alone": Cause.CERTIFICATE_REJECTED,
        "the password is wrong": Cause.PASSWORD_REJECTED,
        "there is no such database": Cause.DATABASE_MISSING,
        "the host's name does not resolve": Cause.DNS_FAILED,
        "the certificate is not for the host": Cause.HOSTNAME_MISMATCH,
        "the host answers nothing": Cause.CONNECTION_TIMEOUT,
    }
    assert all("1020912" in words.text for words in book.words if words.cause)
    said = {words.situation for words in book.words}
    assert {
        "a second test is started at once",
        "a certificate in use is deleted",
        "an endpoint of a running task is modified",
        "a certificate's identifier is taken",
    } < said


def test_a_server_that_dms_does_not_reach_ends_the_story(start: Start) -> None:
    """Without a connection there is nothing to learn: the story says why, and the rest goes on."""
    ground = start(ca_pem=Authority.root("Somebody else's").certificate_pem.decode())
    book = play(ground.account, [story_of("failure_style"), story_of("pem_normalised")])
    assert list(book.ended) == ["endpoint"]
    assert "certificate_rejected" in book.ended["endpoint"]
    assert "failure_style" not in book.seen
    assert "pem_normalised" in book.seen
    assert ground.is_empty


def test_a_host_that_answers_is_not_silent(start: Start) -> None:
    """A test that ends at once leaves no room: the story says which flag to change."""
    ground = start(silent_host=HOST)
    book = play(ground.account, [story_of("old_status_shown_for")])
    assert "--silent-host answered after" in book.ended["silence"]
    assert ground.is_empty


def test_what_was_not_asked_for_is_left_out(start: Start) -> None:
    """Tasks, ACM, the secret's role and other servers only take part when they are given."""
    ground = start(
        role=None, intermediate_pem=None, self_signed=None, with_task=False, with_acm=False
    )
    played: list[str] = []
    book = play(ground.account, say=played.append)
    assert [line.partition(":")[0] for line in played] == ["certificates", "endpoint", "silence"]
    assert set(QUESTIONS) - set(book.seen) == {
        "self_signed_trusted",
        "modify_invalidates_pass",
        *ACM_QUESTIONS,
    }
    assert book.switches() == Switches()
    assert book.holds
