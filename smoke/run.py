"""Tell the stories one after another; whatever happens in one, clean up and go on."""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import translate
from certifier.errors import CertifierError, Refused
from smoke.account import Account, Broken, OutOfTime, cleaned
from smoke.book import Book
from smoke.stories import STORIES, Story


def play(
    account: Account,
    stories: Sequence[Story] = STORIES,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Book:
    """Return the book of the stories that the request has what is needed for."""
    book = Book(hide=account.hide)
    left: list[str] = []
    for story in stories:
        if not story.wanted(account.request):
            continue
        if not account.has_time:
            book.ended[story.name] = "not begun: the run has no time left"
            continue
        say(f"{story.name}: {story.does}")
        try:
            with cleaned(account, left):
                story.play(account, book)
        except (Broken, OutOfTime, CertifierError, ClientError, BotoCoreError) as error:
            book.ended[story.name] = account.hide(_why(error))
        except KeyboardInterrupt:
            book.ended[story.name] = "interrupted"
            break
        except Exception as surprise:  # noqa: BLE001 - an answer of an unexpected shape, or a bug
            book.ended[story.name] = _where(surprise)
        if story.name in book.ended:
            say(f"{story.name} ended early: {book.ended[story.name]}")
    book.left += left
    return book


def _where(surprise: Exception) -> str:
    """Where it came from; its text may hold anything."""
    frame = traceback.extract_tb(surprise.__traceback__)[-1]
    return f"{type(surprise).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _why(error: Exception) -> str:
    match error:
        case Refused(cause=cause, seen=seen):
            return f"{cause.value}: {seen}" if seen else cause.value
        case Broken() | OutOfTime():
            return str(error)
        case ClientError() | BotoCoreError():
            return f"{type(error).__name__}: {translate(error)}"
        case _:
            return f"{type(error).__name__}: {error}"
