"""What the commands print: on a terminal, into a pipe, and where nothing can be written."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from certifier.cli import COMMANDS, EXAMPLES, IN_AWS, ON_THE_LAPTOP, main
from certifier.cli.terminal import Terminal
from certifier.diagnosis import finding
from certifier.version import VERSION
from certifier.vocabulary import Cause, Witness
from tests.days import ANOTHER_PROCESS

PROJECT = Path(__file__).resolve().parents[2]
ARN = "arn:aws:dms:eu-west-1:111122223333:endpoint:" + "A" * 60


def printed(width: int | None) -> list[str]:
    """Return what a finding, facts and rows look like at a width; ``None``: no terminal."""
    out = io.StringIO()
    terminal = Terminal(out, width=width)
    terminal.line(Text("orders", style="bold"), "  refused  verify-full " + "word " * 20, hang=2)
    terminal.finding(finding(Cause.SSL_OFF, place=Witness.PROBE, seen=f"{ARN} has no TLS"))
    terminal.rows([["orders", "failed", ARN], ["a-longer-name", "refused", "word " * 30]])
    return out.getvalue().splitlines()


def test_without_a_terminal_nothing_wraps_and_nothing_is_padded() -> None:
    """A line is a line, however long; the cells of a row are separated by a tab."""
    lines = printed(None)
    assert len(lines) == 6
    assert f"orders\tfailed\t{ARN}" in lines
    assert not [line for line in lines if line != line.rstrip()]
    assert not [line for line in lines if "\x1b" in line]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_on_a_terminal_text_wraps_at_blanks_only(width: int) -> None:
    """An ARN stays whole on a line of its own; what goes on below is indented."""
    lines = printed(width)
    assert sum(ARN in line for line in lines) == 2
    for line in lines:
        assert len(line) <= width or ARN in line
        assert line == line.rstrip()
    assert lines[1].startswith("  word")


@ANOTHER_PROCESS
@pytest.mark.parametrize("command", [["schema"], ["explain", "ssl_off"], ["--help"]])
def test_a_reader_that_has_seen_enough_is_not_an_error(command: list[str]) -> None:
    """`certifier schema | head -1` exits 0 and complains of nothing."""
    program = f"{sys.executable} -m certifier {' '.join(command)}"
    done = subprocess.run(
        ["bash", "-c", f"{program} | head -c 1; echo ${{PIPESTATUS[0]}} >&2"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.strip() == "0"


@ANOTHER_PROCESS
def test_a_reader_of_a_table_that_has_seen_enough_is_not_an_error() -> None:
    """Neither where rich prints: its own answer to a broken pipe would be exit status 1."""
    code = (
        "import sys; from certifier.cli import probe, main;"
        "from certifier.cli.terminal import Terminal\n"
        "def run(args):\n"
        "    for _ in range(20000): Terminal().line('orders')\n"
        "    return 0\n"
        "probe.run = run; probe.register.__globals__['run'] = run;"
        "sys.exit(main(['probe', 'x']))"
    )
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "$CODE" | head -1; echo ${{PIPESTATUS[0]}} >&2'],
        cwd=PROJECT,
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("orders\n", "0\n")


@ANOTHER_PROCESS
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_sentence() -> None:
    """And not a success."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m certifier schema > /dev/full"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "certifier: the output cannot be written: No space left on device\n"


@ANOTHER_PROCESS
def test_a_closed_output_is_one_sentence() -> None:
    """As a shell closes it."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m certifier schema >&-"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "certifier: standard output is closed\n")


def test_a_bare_call_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """In two groups, with an example of each, and exit status 0."""
    assert main([]) == 0
    out = capsys.readouterr().out
    laptop, aws = out.index("on your laptop:"), out.index("in AWS:")
    for name in COMMANDS:
        assert (laptop < out.index(f"\n  {name} ") < aws) is (name in ON_THE_LAPTOP)
    assert out.count("for example: certifier ") == 2
    assert set(ON_THE_LAPTOP) | set(IN_AWS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is one of that command."""
    assert main([name, "--help"]) == 0
    assert f"example: {EXAMPLES[name]}" in capsys.readouterr().out
    assert f"certifier {name}" in EXAMPLES[name]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"certifier {VERSION}\n"


def test_a_wrong_word_is_answered_by_a_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    """For a command and for a cause; nothing is guessed for what resembles nothing."""
    assert main(["statsu"]) == 2
    assert "there is no command 'statsu'; did you mean status?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "did you mean" not in capsys.readouterr().err
    assert main(["explain", "hostname_mismach"]) == 1
    assert "did you mean hostname_mismatch" in capsys.readouterr().err
    assert main(["explain", "a text that resembles nothing, and is long"]) == 1
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And is a program of its shell, where that is here to ask."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in COMMANDS:
        assert name in script
    assert "plan" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, text=True, timeout=60, check=False)
        assert done.returncode == 0


@ANOTHER_PROCESS
def test_bash_completes_a_command() -> None:
    """`certifier sta<TAB>` is `certifier status`."""
    script = (
        f'eval "$({sys.executable} -m certifier completion bash)"; COMP_WORDS=(certifier sta);'
        "COMP_CWORD=1; _shtab_certifier; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "status\n"
