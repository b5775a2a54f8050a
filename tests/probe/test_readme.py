"""The output that README.md shows of commands for a laptop is what they print."""

import shlex
from pathlib import Path

import pytest

from certifier.cli import main
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres
from tests.docs.markdown import ROOT, read
from tests.docs.transcript import missing, transcripts

SHOWN = dict(transcripts(read(ROOT / "README.md")))


def shown(name: str) -> tuple[list[str], list[str]]:
    """Arguments and output of the one transcript of a command."""
    (command,) = (each for each in SHOWN if each.split()[1] == name)
    return shlex.split(command)[1:], SHOWN[command]


def test_the_probe_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate for another name passes in verify-ca and fails in verify-full."""
    root = Authority.root("Example root")
    (tmp_path / "root.crt").write_bytes(root.certificate_pem)
    monkeypatch.chdir(tmp_path)
    # As on a terminal of that size that has no colours; into a pipe, nothing wraps.
    for name, value in {
        "COLUMNS": "100",
        "LINES": "40",
        "TERM": "dumb",
        "TTY_COMPATIBLE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    arguments, lines = shown("probe")
    with Postgres.start(tls=root.issue(dns=["db-1.example.com"]), hba=Access.TLS_ONLY) as server:
        assert main([*arguments, "--address", server.host, "--port", str(server.port)]) == 1
    assert missing(lines, capsys.readouterr().out) == []


def test_explain_prints_what_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """The cause, what was seen, and the remedy."""
    arguments, lines = shown("explain")
    assert main(arguments) == 0
    assert missing(lines, capsys.readouterr().out) == []
