"""What a story is."""

from collections.abc import Callable
from dataclasses import dataclass

from smoke.account import Account
from smoke.book import Book
from smoke.request import Request


def always(_: Request) -> bool:
    """Nothing is needed beyond what every run needs."""
    return True


@dataclass(frozen=True, kw_only=True)
class Story:
    """Some calls that answer some questions.

    Attributes:
        does: one sentence for the plan. makes: what exists for a while. costs: what it takes.
        answers: names of switches.
        needs: the flags without which it is left out; ``wanted`` says whether they were given.
    """

    name: str
    does: str
    makes: str
    costs: str
    answers: tuple[str, ...]
    play: Callable[[Account, Book], None]
    needs: str = ""
    wanted: Callable[[Request], bool] = always
