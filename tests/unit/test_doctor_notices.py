"""What ``certifier doctor`` says of who gets notices."""

import pytest

from certifier.cli.doctor import Check, notices


@pytest.mark.parametrize(
    ("confirmed", "pending", "check"),
    [
        (0, 0, Check("notices", False, "nobody gets any", "add an address: the setting notify")),
        (2, 0, Check("notices", True, "2 addresses confirmed")),
        (
            1,
            1,
            Check(
                "notices", False, "1 address confirmed, 1 not", "confirm the mail that AWS has sent"
            ),
        ),
    ],
)
def test_what_to_do_is_what_is_missing(confirmed: int, pending: int, check: Check) -> None:
    """A mail to confirm is named only where one was sent."""
    assert notices(confirmed, pending) == check
