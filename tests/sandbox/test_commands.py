"""``python -m sandbox`` answers wrong words with a sentence and a status, and no traceback."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox import acts
from tests.days import ANOTHER_PROCESS
from tests.docs.markdown import ROOT


def run(*words: str | Path, folder: Path = ROOT, **variables: str) -> tuple[int, str]:
    """Run it; return its status and all that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout.strip()


@ANOTHER_PROCESS
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "--port", "99999"), "'99999' is not a number between 0 and 65535"),
        (("serve", "--port", "http"), "'http' is not a number between 0 and 65535"),
        (("serve", "--speed", "0.5"), "'0.5' is not a number between 1 and 3600"),
        (("serve", "--speed", "nan"), "'nan' is not a number between 1 and 3600"),
        (("serve", "--sources", "501"), "'501' is not a number between 0 and 500"),
        (("do",), "required: ACT"),
        (
            ("mial",),
            "there is no command mial; did you mean mail? (a new folder: ./mial)",
        ),
        (("nosuch",), "there is no command nosuch (a new folder: ./nosuch)"),
    ],
)
def test_wrong_usage_is_status_2(words: tuple[str, ...], said: str) -> None:
    """And the message says what would have been right; a typing error plays no demo."""
    status, printed = run(*words)
    assert (status, printed.splitlines()[-1].endswith(said)) == (2, True), printed


@ANOTHER_PROCESS
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file, or one below a file."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        status, printed = run("serve", "--folder", folder)
        assert status == 1
        assert printed.startswith(f"sandbox serve: {folder} cannot be used: ")


def test_without_an_account_the_commands_say_how_to_serve_one(tmp_path: Path) -> None:
    """Whatever is asked; also when the environment names one that has ended."""
    for words in (("env",), ("mail",), ("reset",), ("do", "renew")):
        status, printed = run(words[0], "--folder", tmp_path, *words[1:])
        assert status == 1
        assert printed.endswith("python -m sandbox serve")
    gone = run("mail", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert gone == (1, "sandbox mail: the account does not answer: python -m sandbox serve")
    real = run("do", "renew", AWS_ENDPOINT_URL="https://dms.eu-west-1.amazonaws.com")
    assert real[1].startswith("sandbox do: AWS_ENDPOINT_URL is not a served account")


@pytest.fixture
def mail() -> Iterator[str]:
    """The URL of what answers as an account with many notices would."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps([["subject", "body\n" * 1000]] * 100).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is written about a call."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_reader_that_goes_away_is_nothing_to_report(mail: str) -> None:
    """``mail | head -1`` prints its line, and nothing beside it."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sandbox mail | head -1"],
        cwd=ROOT,
        env={**os.environ, "AWS_ENDPOINT_URL": mail},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("Subject: subject\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "there is no act ''"),
        (("renewal",), "there is no act 'renewal'"),
        (("renew", "now"), "renew takes no argument 'now'"),
        (("skip", "soon"), "'soon' is not a period such as 90s, 15m, 3h or 5d"),
        (("skip", "99999d"), "'99999d' is longer than 3650d"),
        (("expire-soon", "1d", "2d"), "expire-soon takes no argument '2d'"),
    ],
)
def test_unknown_acts_are_refused(words: tuple[str, ...], said: str) -> None:
    """Before anything happens."""
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        acts.Asked.of(words)


def test_an_act_is_read_with_its_argument() -> None:
    """A period, or a state with blanks in its name."""
    assert acts.Asked.of(("skip", "3h")).arguments == ("3h",)
    assert acts.Asked.of(("kill", "Probe TLS")).act is acts.kill
    assert acts._period("90s") == timedelta(seconds=90)
