"""``python -m smoke``: plans without an account, one line for wrong input, no secret printed."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.acm import AcmSwitches
from sandbox.dms import FailureStyle, Switches
from smoke.__main__ import NO_CREDENTIALS, NOTHING_GIVEN, main
from smoke.book import DMS_QUESTIONS
from smoke.request import parser
from smoke.stories import STORIES
from tests.contract.conftest import PASSWORD, ROOT, SILENT, Ground, Start

PROJECT = Path(__file__).resolve().parents[2]
INSTANCE = "arn:aws:dms:eu-west-1:123456789012:rep:ABCDEF"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:smoke/login-AbCdEf"


class Nobody:
    """A session without credentials."""

    def __init__(self, **_: object) -> None: ...

    def get_credentials(self) -> None:
        return None


def called(
    *arguments: str, environ: Mapping[str, str] | None = None, **more: Any
) -> tuple[int, str]:
    """Call the command line; exit status and what it printed."""
    out = io.StringIO()
    session = more.pop("session", Nobody)
    status = main(arguments, environ or {}, session=session, out=out, **more)
    return status, out.getvalue()


@pytest.fixture
def ca(tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_bytes(ROOT.certificate_pem)
    return str(file)


def test_without_anything_it_says_what_it_would_do() -> None:
    """No flag, no variable: every story, what it makes and costs, what is needed; exit 0."""
    status, text = called()
    assert status == 0
    assert NOTHING_GIVEN in text
    for story in STORIES:
        assert story.name in text
    for needed in (
        "--instance ARN",
        "--secret ARN",
        "--ca FILE",
        "AWS credentials",
        "iam:PassRole",
    ):
        assert needed in text


def test_without_credentials_it_says_what_it_would_do(ca: str) -> None:
    """Flags are there, credentials are not: nothing is called; exit 0, for programs too."""
    flags = ("--instance", INSTANCE, "--secret", SECRET, "--ca", ca)
    status, text = called(*flags)
    assert (status, NO_CREDENTIALS in text) == (0, True)
    status, text = called(*flags, "--json")
    payload = json.loads(text)
    assert (status, payload["done"], payload["why"]) == (0, False, NO_CREDENTIALS)
    assert {one for story in payload["stories"] for one in story["answers"]} >= set(DMS_QUESTIONS)


def test_every_value_can_stand_in_the_environment(ca: str) -> None:
    """Variables are named like the flags, and wrong ones are found as well."""
    environ = {
        "CERTIFIER_SMOKE_INSTANCE": INSTANCE,
        "CERTIFIER_SMOKE_SECRET": SECRET,
        "CERTIFIER_SMOKE_CA": ca,
    }
    assert called(environ=environ)[0] == 0
    assert called(environ=environ | {"CERTIFIER_SMOKE_MINUTES": "soon"})[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--instance", INSTANCE], "missing: --secret, --ca"),
        (["--instance", "x"], "--instance is not the ARN of a replication instance"),
        (["--instance", INSTANCE, "--secret", PASSWORD], "--secret is not a full secret ARN"),
        (["--ca", "/nowhere/ca.pem"], "--ca '/nowhere/ca.pem': No such file or directory"),
        (["--ca", "/dev/null"], "--ca '/dev/null' holds no certificate in PEM"),
        (["--ca", "/"], "--ca '/': Is a directory"),
        (["--minutes", "0"], "--minutes '0' is not a number from 1 to 600"),
        (["--alias", "a b"], "--alias is not a host"),
        (["--self-signed-host", "a"], "--self-signed-host and --self-signed-ca belong together"),
        (["--sweep"], "--sweep needs --instance"),
        (["--role", "admin"], "--role is not the ARN of a role"),
    ],
)
def test_wrong_input_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Exit 2, one line that names the flag and what is allowed; no value that may be a secret."""
    status, text = called(*arguments)
    error = capsys.readouterr().err
    assert (status, text) == (2, "")
    assert words in error
    assert error.count("\n") == 1
    assert PASSWORD not in error


def flags_of(ground: Ground, ca: str) -> list[str]:
    request = ground.account.request
    given = {"--instance": request.instance, "--secret": request.secret, "--ca": ca}
    flags = [word for pair in (given | {"--silent-host": SILENT}).items() for word in pair]
    return [*flags, "--json"]


def run(ground: Ground, flags: list[str]) -> tuple[int, str]:
    def session(**_: object) -> boto3.Session:
        return ground.session

    return called(*flags, session=session, now=ground.time.now, sleep=ground.time.sleep)


def test_the_json_makes_a_stand_in_that_plays_the_account(
    start: Start, ca: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed are arguments of Switches; progress goes elsewhere, the password nowhere."""
    switches = Switches(old_message_kept=False, failure_style=FailureStyle.PLAIN)
    ground = start(dms=switches)
    status, text = run(ground, flags_of(ground, ca))
    progress = capsys.readouterr().err
    payload = json.loads(text)
    assert status == 0
    assert Switches(**payload["switches"]["dms"]) == switches
    assert AcmSwitches(**payload["switches"]["acm"]) == AcmSwitches()
    assert "self_signed_trusted" in payload["not_seen"]
    assert (payload["ended"], payload["left"]) == ({}, [])
    assert "endpoint: create an endpoint" in progress
    assert PASSWORD not in text + progress
    assert ground.is_empty


def test_the_tables_show_what_differs(start: Start, ca: str) -> None:
    """For people: fact, stand-in, account; what does not hold; exit 1 when something does not."""
    ground = start(dms=Switches(old_status_shown_for=20.0))
    flags = flags_of(ground, ca)[:-1]
    status, text = run(ground, flags)
    assert status == 1
    assert "the stand-in" in text
    assert "20 s" in text
    assert "does not hold:" in text
    assert "1020912" in text
    assert '"old_status_shown_for": 20.0' in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("instance", "there is no such replication instance"),
        ("status", "replication-1 is modifying"),
        ("secret", "does not exist"),
        ("keys", "has no usable value for the key 'username'"),
    ],
)
def test_an_account_that_cannot_be_used_is_one_line(
    start: Start, ca: str, capsys: pytest.CaptureFixture[str], spoil: str, words: str
) -> None:
    """Exit 2 before anything is made."""
    ground = start()
    request = ground.account.request
    flags = flags_of(ground, ca)
    match spoil:
        case "instance":
            flags[1] = INSTANCE
        case "status":
            ground.dms.set_instance_status(request.instance, "modifying")
        case "secret":
            flags[3] = SECRET
        case _:
            ground.session.client("secretsmanager").put_secret_value(
                SecretId=request.secret,
                SecretString=json.dumps({"host": "h", "port": 5432, "password": PASSWORD}),
            )
    status, text = run(ground, flags)
    error = capsys.readouterr().err
    assert (status, text) == (2, "")
    assert words in error
    assert PASSWORD not in error
    assert ground.is_empty


def test_a_sweep_needs_no_server(start: Start) -> None:
    """What a killed run left is found by name and tag, with the Region alone."""
    ground = start()
    account = ground.account
    account.certificate("left", ROOT.certificate_pem.decode())
    assert not ground.is_empty
    status, text = run(ground, ["--sweep", "--instance", account.instance])
    assert (status, text) == (0, "")
    assert ground.is_empty


def test_the_first_day_asks_with_every_flag() -> None:
    """docs/first-day.md runs the smoke with all that opens a story."""
    text = (PROJECT / "docs" / "first-day.md").read_text(encoding="utf-8")
    (command,) = (line for line in text.splitlines() if line.startswith("make smoke"))
    flags = {option for action in parser()._actions for option in action.option_strings}
    unneeded = {"-h", "--help", "--sweep", "--profile"}
    assert {
        flag for flag in flags - unneeded if f"{flag} " not in command.replace('"', " ")
    } == set()
