"""Whatever happens in a smoke, it ends, and nothing of it stays behind."""

import pytest
from moto.core.exceptions import JsonRESTError

from smoke.account import PREFIX, TAG
from smoke.book import Book
from smoke.run import play
from smoke.stories import STORIES
from tests.contract.conftest import Ground, Start

BY_NAME = {story.name: story for story in STORIES}


class Injector:
    """Fails one DMS call, before or after its effect; or all of some operations."""

    def __init__(self, ground: Ground) -> None:
        self.calls = 0
        self.at = 0
        self.after = False
        self.always: set[str] = set()
        self._call = ground.dms.call
        ground.dms.call = self  # type: ignore[method-assign,assignment]

    def __call__(self, operation: str, params: dict[str, object]) -> object:
        self.calls += 1
        hit = self.calls == self.at
        if operation in self.always or (hit and not self.after):
            raise JsonRESTError("AccessDeniedException", "not allowed")
        answer = self._call(operation, params)
        if hit:
            raise JsonRESTError("SomethingNew", "the answer is lost")
        return answer


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 4, 12, 20, 60])
@pytest.mark.parametrize("name", ["certificates", "silence", "task"])
def test_a_call_that_fails_leaves_nothing_behind(
    start: Start, name: str, at: int, after: bool
) -> None:
    """One call fails, before its effect or after it: the story ends, and all it made is deleted."""
    ground = start()
    injector = Injector(ground)
    injector.at, injector.after = at, after
    book = play(ground.account, [BY_NAME[name]])
    assert ground.is_empty
    assert book.left == []
    if injector.calls < at:
        assert book.holds


def test_what_cannot_be_deleted_is_named_and_swept_later(start: Start) -> None:
    """A denied deletion is a command to copy; a sweep deletes it, by tag, whatever run it was."""
    ground = start()
    injector = Injector(ground)
    injector.always = {"DeleteEndpoint"}
    book = play(ground.account, [BY_NAME["self-signed"]])
    assert not book.holds
    assert len(book.left) == 3
    assert len(ground.dms.endpoints()) == 2
    injector.always = set()
    ground.account.run = "another1"
    foreign = ground.account.raw.import_certificate(
        CertificateIdentifier=f"{PREFIX}of-somebody-else",
        CertificatePem=ground.account.request.ca_pem,
    )["Certificate"]["CertificateArn"]
    left = ground.account.sweep()
    assert ground.dms.endpoints() == []
    assert [one["CertificateArn"] for one in ground.dms.certificates()] == [foreign]
    assert left == (f"# {PREFIX}of-somebody-else does not carry the tag {TAG}: not deleted",)


def test_an_interrupted_smoke_cleans_up(start: Start) -> None:
    """Ctrl-C in the middle of a wait: what was made is deleted, and no further story begins."""
    ground = start()
    slept = 0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 3:
            raise KeyboardInterrupt
        ground.time.sleep(seconds)

    ground.account.sleep = sleep
    book = play(ground.account, [BY_NAME["silence"], BY_NAME["certificates"]])
    assert book.ended == {"silence": "interrupted"}
    assert book.seen == {}
    assert ground.is_empty


def test_a_run_ends_when_its_time_is_over(start: Start) -> None:
    """No wait outlasts the run; cleaning up has time of its own."""
    ground = start(minutes=1)
    book = play(ground.account, [BY_NAME["silence"], BY_NAME["certificates"]])
    assert "took longer" in book.ended["silence"]
    assert book.ended["certificates"] == "not begun: the run has no time left"
    assert ground.time.passed < 600
    assert ground.is_empty


def test_all_that_is_made_is_tagged_and_named(played: tuple[Ground, Book]) -> None:
    """Every resource carries the run's tag and name from its first moment."""
    ground, _ = played
    made = [
        call
        for call in ground.dms.log
        if call.operation.startswith(("Create", "Import")) and call.error is None
    ]
    assert len(made) > 10
    for call in made:
        identifier = next(
            value for name, value in call.params.items() if name.endswith("Identifier")
        )
        assert identifier.startswith(f"{PREFIX}0123abcd-")
        assert {"Key": TAG, "Value": "0123abcd"} in call.params["Tags"]
