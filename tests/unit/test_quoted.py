"""What somebody has typed is quoted in a message with its control characters escaped once."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import certifier
from certifier.aws.store.items import owner_of
from certifier.certificate.secret import NotASecret, parse_secret
from certifier.cli import main
from certifier.cli.installation import not_registered
from certifier.cli.probe import _ssl_mode, _tls
from certifier.text import quoted

CONTROL = "a\x1b[31m"
SHOWN = r"'a\x1b[31m'"
SOURCES = Path(certifier.__file__).parent


@pytest.mark.parametrize(
    ("text", "shown"),
    [(CONTROL, SHOWN), ("it's", '"it\'s"'), (r"a\b", r"'a\b'"), ("é\u202e", r"'é\u202e'")],
)
def test_a_quoted_text_is_escaped_once(text: str, shown: str) -> None:
    """What moves a terminal is escaped, and a backslash is one backslash."""
    assert quoted(text) == shown


def test_a_name_that_nobody_registered() -> None:
    """Of every command that takes one."""
    assert not_registered(CONTROL, []) == f"{SHOWN} is not a registered source"


@pytest.mark.parametrize("judge", [_ssl_mode, _tls])
def test_words_of_the_probe(judge: Callable[[str], object]) -> None:
    """A mode and a version."""
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"{SHOWN} is not one of ")):
        judge(CONTROL)


def test_a_host_of_make_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with what is wrong with it."""
    assert main(["make-certificates", str(tmp_path), "--host", CONTROL]) == 2
    assert f"--host {SHOWN} " in capsys.readouterr().err


def test_a_key_of_a_secret_and_an_owner() -> None:
    """What others have written is treated alike."""
    found = parse_secret('{"a\\u001b[31m": "1", "a\\u001b[31m": "2"}')
    assert isinstance(found, NotASecret)
    assert SHOWN in found.seen
    assert owner_of({"source": CONTROL}) == SHOWN


def test_nowhere_is_printable_text_escaped_again() -> None:
    """``!r`` or ``repr`` around ``printable`` doubles its backslashes."""
    for file in SOURCES.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"printable\([^{}\n]*\)!r|repr\(printable\(", text), file
