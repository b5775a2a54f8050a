"""A name that nobody registered, in every command that takes one."""

import pytest

from certifier.aws.store import Store
from certifier.cli import main
from tests.aws.test_cli_fleet import installed, register  # noqa: F401 - a fixture

REGION = ("--region", "eu-west-1")
COMMANDS = (
    ["status", "ordres"],
    ["show", "ordres"],
    ["history", "ordres"],
    ["open", "ordres"],
    ["certify", "ordres"],
    ["approve", "ordres"],
    ["pause", "ordres", "--why", "x"],
    ["unpause", "ordres"],
    ["release", "ordres", "orders-to-warehouse"],
    ["forget", "ordres"],
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_every_command_asks_what_was_meant(
    words: list[str],
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same sentence everywhere, and status 1."""
    register(store, "orders")
    assert main([*words, *REGION]) == 1
    said = "'ordres' is not a registered source; did you mean orders?"
    assert capsys.readouterr().err == f"certifier {words[0]}: {said}\n"


@pytest.mark.parametrize("why", ["", "  "])
def test_a_pause_without_a_reason_is_refused(
    why: str,
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever wonders later would find nothing."""
    register(store, "orders")
    assert main(["pause", "orders", "--why", why, *REGION]) == 2
    assert "--why is empty" in capsys.readouterr().err
    state = store.state("orders")
    assert state is not None
    assert state.on_hold is None


def test_bytes_that_are_not_text_do_not_reach_the_table(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A lone surrogate cannot be written to DynamoDB: it becomes an escape."""
    register(store, "orders")
    assert main(["pause", "orders", "--why", "moved \udcff", "--who", "me", *REGION]) == 0
    state = store.state("orders")
    assert state is not None
    assert state.on_hold is not None
    assert state.on_hold.why == "moved \\udcff"


def test_a_group_without_sources_is_not_an_empty_installation(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody who mistyped a group does not read that nothing is registered."""
    assert main(["status", *REGION]) == 0
    assert "No source is registered yet" in capsys.readouterr().out
    register(store, "orders")
    assert main(["status", "--group", "nosuch", *REGION]) == 0
    assert capsys.readouterr().out == "No source is like that.\n"
