"""``certifier approve``: what a person has compared is trusted, and nothing that came since."""

import pytest

from certifier.aws.store import Store
from certifier.aws.store.items import source_key
from certifier.cli import main
from tests.aws.test_cli_fleet import installed, register  # noqa: F401 - a fixture

REGION = ("--region", "eu-west-1")
SEEN, SWAPPED = "5e" * 32, "bad0" * 16


def waiting(store: Store, *fingerprints: str) -> None:
    """A source whose bundle holds CAs that wait."""
    register(store, "orders")
    state = source_key("orders", "STATE")
    store._table.write(store._table.update_op(state, set_={"pending_anchors": [*fingerprints]}))


def pending(store: Store) -> tuple[str, ...]:
    state = store.state("orders")
    assert state is not None
    return state.pending_anchors


def approve(*words: str) -> int:
    return main(["approve", "orders", *words, *REGION])


def test_a_bundle_that_was_swapped_before_the_command_is_not_approved(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever can write the bundle waits for the mail, and puts another CA in its place."""
    waiting(store, SWAPPED)
    assert approve(SEEN[:16]) == 1
    error = capsys.readouterr().err
    assert "nothing was approved" in error
    assert SWAPPED in error
    assert pending(store) == (SWAPPED,)


def test_what_came_beside_it_waits_on(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A second CA in the bundle is not approved with the first; colons and capitals are fine."""
    waiting(store, SEEN, SWAPPED)
    assert approve(":".join(["5E"] * 32)) == 0
    out = capsys.readouterr().out
    assert out == f"approved: SHA-256 {SEEN}\nstill waits: SHA-256 {SWAPPED}\ndue now\n"
    assert pending(store) == (SWAPPED,)
    assert approve(SEEN) == 1


def test_without_fingerprints_all_that_wait_are_approved(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And printed, each."""
    waiting(store, SEEN, SWAPPED)
    assert approve() == 0
    out = capsys.readouterr().out
    assert all(one in out for one in (SEEN, SWAPPED))
    assert pending(store) == ()
    assert approve() == 0
    assert "no CA of orders waits for approval" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "5e" * 7, "5e" * 33, "CN=Orders CA", "zz" * 8, "\x1b" * 16])
def test_what_is_too_short_to_stand_for_a_ca_is_wrong_usage(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few digits can be had by trying."""
    assert main(["approve", "orders", text]) == 2
    error = capsys.readouterr().err
    assert "16 to 64 hexadecimal digits" in error
    assert "\x1b" not in error
