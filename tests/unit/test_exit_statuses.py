"""Each command says in its help what its exit status means."""

import pytest

from certifier.cli import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_says_what_the_exit_status_means(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes a script reads ``--help``, and finds it at its end."""
    assert main([command, "--help"]) == 0
    assert "\nexit status: 0" in capsys.readouterr().out
