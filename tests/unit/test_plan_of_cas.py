"""A plan over bundles that have CAs in common says what comes and what goes."""

from datetime import UTC, datetime

from certifier.cli.plans import _change
from certifier.run.intent import Ca, IntendedChange

UNTIL = datetime(2036, 11, 25, tzinfo=UTC)


def ca(number: int) -> Ca:
    return Ca(subject=f"CN=CA {number}", sha256=f"{number:x}" * 64, until=UNTIL)


def shown(old: list[int], new: list[int]) -> list[tuple[str, str]]:
    change = IntendedChange(
        field="certificate",
        old="a" * 64,
        new="b" * 64,
        old_cas=tuple(map(ca, old)),
        new_cas=tuple(map(ca, new)),
    )
    return list(_change(change, create=False))


def test_what_comes_and_goes_stands_before_what_stays() -> None:
    """One list with a mark each, and not two lists that somebody has to compare."""
    assert shown([1, 2], [2, 3]) == [
        ("~ trusted CA", "+ CN=CA 3  (33333333…, until 2036-11-25)"),
        ("", "- CN=CA 1  (11111111…, until 2036-11-25)"),
        ("", "= CN=CA 2  (22222222…, until 2036-11-25)"),
    ]


def test_a_new_ca_at_the_end_of_a_long_bundle_is_seen() -> None:
    """Only what stays is counted instead of shown."""
    lines = shown(list(range(1, 9)), list(range(1, 10)))
    assert lines[0] == ("~ trusted CA", "+ CN=CA 9  (99999999…, until 2036-11-25)")
    assert lines[-1] == ("", "= and 3 more")
    assert len(lines) == 7


def test_bundles_without_a_ca_in_common_are_from_and_to() -> None:
    """As every other field."""
    assert shown([1], [2]) == [
        ("~ trusted CA", "CN=CA 1  (11111111…, until 2036-11-25)"),
        ("", "→ CN=CA 2  (22222222…, until 2036-11-25)"),
    ]
