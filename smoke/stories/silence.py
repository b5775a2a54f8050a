"""A host that answers nothing: a test that lasts, so that much can be tried while it does."""

from certifier.vocabulary import Cause, SslMode
from smoke.account import Account, Broken
from smoke.book import Book
from smoke.stories.story import Story

LASTS = 15.0
"""A shorter test leaves no room for what is tried in it."""


SHORT = 10.0
"""A test may last no longer; if an old verdict does, an unchanged source cannot be proven."""


def _play(account: Account, book: Book) -> None:
    fields = account.fields(SslMode.REQUIRE, server_name=account.request.silent_host)
    endpoint = account.endpoint("silent", fields)
    account.quiet(endpoint.arn)
    tested = account.test(endpoint.arn)
    if tested.passed or tested.seconds < LASTS:
        said = account.hide(tested.message or "it connected")
        raise Broken(f"--silent-host answered after {tested.seconds:.0f} s: {said}")
    book.failure("the host answers nothing", tested.message, Cause.CONNECTION_TIMEOUT)
    _old_verdict(account, book, endpoint.arn, tested.seconds)
    _modify(account, book, endpoint.arn)
    _delete(account, book, endpoint.arn)


def _old_verdict(account: Account, book: Book, arn: str, lasts: float) -> None:
    """A `failed` that is shown long before the new test can have ended is the old one."""
    account.start_test(arn)
    found, seconds = account.watch(
        lasts / 2,
        lambda: True if getattr(account.connection(arn), "status", "") == "testing" else None,
    )
    note = "" if found else f"and it was still shown after {seconds:.0f} s"
    book.answer("old_status_shown_for", seconds, note)
    book.check(
        f"an old verdict is gone within the {SHORT:.0f} s that a test lasts",
        seconds < SHORT,
        f"{seconds:.0f} s",
    )


def _modify(account: Account, book: Book, arn: str) -> None:
    account.start_test(arn)  # most often the last one is still under way
    fault = account.fault(
        "modify_endpoint",
        EndpointArn=arn,
        EngineName="postgres",
        SslMode=SslMode.NONE.value,
    )
    said = f"{fault.code}: {fault.text}" if fault else ""
    book.answer("modify_while_testing_accepted", fault is None, said)


def _delete(account: Account, book: Book, arn: str) -> None:
    account.active(arn)
    account.start_test(arn)
    fault = account.fault("delete_endpoint", EndpointArn=arn)
    said = f"{fault.code}: {fault.text}" if fault else ""
    book.answer("delete_while_testing_accepted", fault is None, said)


STORY = Story(
    name="silence",
    does="test an endpoint whose host drops packets; modify and delete it while the test lasts",
    makes="1 endpoint",
    costs="nothing; about 5 minutes",
    answers=(
        "old_status_shown_for",
        "modify_while_testing_accepted",
        "delete_while_testing_accepted",
    ),
    play=_play,
)
