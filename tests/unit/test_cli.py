"""The shell of the command line: commands, exit status, and never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from certifier import cli
from certifier.cli import COMMANDS, main
from tests.days import ANOTHER_PROCESS

_PROJECT = Path(__file__).resolve().parents[2]


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has one line in the help, and help of its own."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name}" in out
        assert main([name, "--help"]) == 0
    assert "exit status" in out


@pytest.mark.parametrize("arguments", [["no-such-command"], ["probe"], ["--no-such-option"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And the usage is on stderr."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: certifier")


@pytest.mark.parametrize(
    ("text", "status", "cause"),
    [
        ('FATAL:  password authentication failed for user "app"', 0, "password_rejected"),
        ("hostname_mismatch", 0, "hostname_mismatch"),
        ("nothing that anybody has ever seen", 1, "unknown"),
        ("", 1, "unknown"),
        ("\x1b[2J\u202e", 1, "unknown"),
    ],
)
def test_explain_names_cause_and_remedy(
    text: str, status: int, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when the cause is known, 1 when it is not; the text comes out escaped."""
    assert main(["explain", text, "--json"]) == status
    payload = json.loads(capsys.readouterr().out)
    assert list(payload) == ["cause", "seen", "remedy"]
    assert payload["cause"] == cause
    assert main(["explain", text]) == status
    out = capsys.readouterr().out
    assert out.startswith(cause)
    assert "\x1b" not in out


@ANOTHER_PROCESS
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_explain_reads_the_encoding_of_a_server(encoding: str) -> None:
    """A log in UTF-16 from PowerShell, or in the server's own encoding, is read all the same."""
    done = subprocess.run(
        [sys.executable, "-m", "certifier", "explain", "--json", "-"],
        input="FATAL:  Datenbank »für« existiert nicht".encode(encoding),
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)["cause"] == "database_missing"
    assert "für" in json.loads(done.stdout)["seen"]


def test_explain_reads_an_argument_of_any_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not UTF-8 comes as surrogates, and lone ones change nothing."""
    for text in ("Datenbank \udcabd\udcbb existiert nicht", "\ud800 timeout expired"):
        assert main(["explain", text]) == 0
    assert "database_missing" in capsys.readouterr().out


@ANOTHER_PROCESS
def test_explain_reads_bytes_that_are_not_text() -> None:
    """From standard input, whatever the terminal thinks of them, and however many there are."""
    done = subprocess.run(
        [sys.executable, "-m", "certifier", "explain", "-"],
        cwd=_PROJECT,
        env={"PYTHONIOENCODING": "utf-8:strict", "PATH": ""},
        input=b"FATAL:  sorry, too many clients already \xff\x00" + b"\xfe" * 1_000_000,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"too_many_connections")


def test_a_bug_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its type alone, because a message may hold anything; the status is not 0."""

    def fail(_text: str) -> None:
        raise RuntimeError("a secret")

    from certifier.cli import explain

    monkeypatch.setattr(explain, "explain", fail)
    assert main(["explain", "x"]) == 1
    captured = capsys.readouterr()
    assert "RuntimeError" in captured.err
    assert "secret" not in captured.err + captured.out


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell expects it."""

    def interrupt(_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_parser", interrupt)
    assert main(["probe"]) == 130


@ANOTHER_PROCESS
def test_the_probe_needs_neither_boto3_nor_the_templates() -> None:
    """Of the commands, only the one that is asked for is imported."""
    code = (
        "import sys; from certifier.cli import main; main(['probe', '--help']);"
        "print([name for name in ('boto3', 'jinja2', 'moto') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.rstrip().endswith("[]")
