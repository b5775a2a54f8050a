"""What people type by mistake: the answer names the option or field, and what is allowed."""

import errno
import io
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from certifier.aws.clients import Clients, translate
from certifier.cli import main
from certifier.cli.reasons import reason
from certifier.errors import Refused
from certifier.source import InvalidSource, parse_source

GOOD = {"name": "orders", "endpoint": "orders", "host": "db.example.com", "ssl_mode": "require"}


# ---- a variable that is not set


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["make-certificates", "", "--host", "a"], "DIR"),
        (["inspect", "--certificate", ""], "--certificate"),
        (["inspect", "--certificate", "x", "--host", ""], "--host"),
        (["probe", "localhost", "--ca-bundle", ""], "--ca-bundle"),
        (["probe", "localhost", "--address", ""], "--address"),
        (["discover", "--emit", ""], "--emit"),
        (["report", "--output", ""], "--output"),
        (["report", "--stack", ""], "--stack"),
        (["open", "orders", "--folder", ""], "--folder"),
        (["status", "--group", ""], "--group"),
        (["status", ""], "NAME"),
        (["reset-breaker", "--stack", ""], "--stack"),
        (["reset-breaker", "--region", ""], "--region"),
        (["reset-breaker", "--profile="], "--profile"),
        (["forget", ""], "NAME"),
        (["release", "orders", ""], "TASK"),
        (["certify", "", "--plan"], "FILE|NAME"),
        (["watch", ""], "EXECUTION"),
    ],
)
def test_an_empty_value_is_wrong_usage(
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is a variable that is not set: no default, no folder of now, no stack takes its place."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr().err.rstrip()
    assert said.endswith(f"error: argument {named}: is empty")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_for_the_stack_is_as_if_it_were_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``CERTIFIER_STACK=`` in a shell is how one unsets it; no stack is looked for without name."""
    from certifier.cli import parser_of

    monkeypatch.setenv("CERTIFIER_STACK", "")
    assert parser_of(["status"]).parse_args(["status"]).stack == "Certifier"


# ---- options that do not go together


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["certify", "orders", "--exit-code"],
            "--exit-code needs --plan: without it the change is made",
        ),
        (
            ["certify", "orders", "--plan", "--exit-code", "--detach"],
            "--exit-code waits for the end, and --detach does not: give one of them",
        ),
        (["certify"], "give source files, or registered names, or --all"),
        (["certify", "orders", "--all"], "--all is every source: give it without names or files"),
        (
            ["certify", "orders", "other.json"],
            "files and names cannot be certified together: other.json is a file, orders a name",
        ),
        (["status", "--json", "--output", "tsv"], "--json and --output tsv: give one of them"),
    ],
)
def test_what_does_not_go_together_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of AWS, and with status 2."""
    assert main(words) == 2
    assert capsys.readouterr().err == f"certifier {words[0]}: {said}\n"


# ---- names and files


def test_a_name_that_no_file_can_have_is_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A text of 5,000 characters is neither a file nor a bug."""
    assert main(["certify", "a" * 5_000, "--stack", "s", "--profile", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\xff", "is not JSON: it is not text in UTF-8"),
        (b'{"name": "\xe4"}', "is not JSON: it is not text in UTF-8"),
        (b"[" * 200_000, "is nested too deep for a source"),
        (b'{"port": ' + b"9" * 6000 + b"}", "has a number of too many digits"),
        (
            json.dumps({"sources": [GOOD]}).encode(),
            "sources: is not a known field: a file holds one source, or a list of them",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    body: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the same two words for everything."""
    (tmp_path / "orders.json").write_bytes(body)
    assert main(["certify", str(tmp_path / "orders.json")]) == 1
    assert said in capsys.readouterr().err


# ---- fields


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("port", "5432", "must be a whole number"),
        ("port", 1.5, "must be a whole number"),
        ("port", 0, "must be at least 1"),
        ("port", 65536, "must be at most 65535"),
        ("name", 7, "must be text"),
        ("nodes", "a", "must be a list"),
        ("replication_instances", {"a": 1}, "must be a list"),
        ("allow_downgrade", "yes", "must be true or false"),
        ("database", "", "must not be empty"),
        ("database", "d" * 64, "must have at most 63 characters"),
        ("ssl_mode", "tls", "must be 'none', 'require', 'verify-ca' or 'verify-full'"),
        ("endpoint_type", None, "must be 'source' or 'target'"),
        ("ca_bundle_sha256", "xyz", "must be a SHA-256: 64 digits, 0-9 and a-f"),
    ],
)
def test_a_field_says_what_is_allowed(field: str, value: object, said: str) -> None:
    """In words of JSON, not in those of a Python library; the value is not echoed."""
    with pytest.raises(InvalidSource) as caught:
        parse_source({**GOOD, field: value})
    assert caught.value.problems == (f"{field}: {said}",)


# ---- what botocore says


def test_an_endpoint_url_that_cannot_be_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """``AWS_ENDPOINT_URL=nonsense`` is a mistake in the environment, and not a bug of ours."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(Refused) as caught:
        Clients.of_profile(None, "eu-west-1").client("sts")
    assert reason(caught.value) == (
        "the endpoint URL of sts is not a URL: look at AWS_ENDPOINT_URL, and at endpoint_url in"
        " the profile"
    )


def test_a_region_that_cannot_be_one_is_not_taken_for_an_endpoint_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """botocore's errors about both of them are ``ValueError``; only the URL's has no class."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(Refused) as caught:
        Clients.of_profile(None, "eu west").client("sts")
    assert "eu west" in reason(caught.value)
    assert "URL" not in reason(caught.value)


@pytest.mark.parametrize(
    "code",
    ["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "AuthFailure"],
)
def test_a_wrong_secret_key_is_not_a_bug(code: str) -> None:
    """Nor is a clock that is wrong; AWS's text, which quotes the request, is left out."""
    error = ClientError({"Error": {"Code": code, "Message": "canonical string"}}, "DescribeStacks")
    assert reason(translate(error)) == (
        f"DescribeStacks: {code}: sign in again; look at the secret key and at this machine's clock"
    )


def test_a_right_that_is_missing_says_where_they_are_listed() -> None:
    """With AWS's sentence, which names the action and who lacks it."""
    said = "User: arn:aws:iam::1:user/x is not authorized to perform: dms:DescribeEndpoints"
    error = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": said}}, "DescribeEndpoints"
    )
    assert reason(translate(error)) == (
        f"DescribeEndpoints: {said}: docs/operate/permissions.md says what each command needs"
    )


def test_a_request_that_cannot_be_made_has_a_remedy_of_its_own() -> None:
    """A session token with a line break in it: another minute changes nothing."""
    said = reason(translate(HTTPClientError(error="Invalid header value")))
    assert said == (
        "the request could not be made (HTTPClientError): look at the credentials (is there a line"
        " break in one?), a proxy, and AWS_ENDPOINT_URL"
    )


# ---- nobody reads the help


class Full(io.StringIO):
    """A disk that is full."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["--version"], []])
def test_help_that_cannot_be_written_says_so(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, as for every other output: whoever keeps the help in a file has none."""
    monkeypatch.setattr("sys.stdout", Full())
    assert main(words) == 2
    assert "the output cannot be written: No space left on device" in capsys.readouterr().err


# ---- the command that a plan prints


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ([], ""),
        (["--stack", "Other"], " --stack Other"),
        (["--stack", "A b", "--region", "eu-west-3"], " --stack 'A b' --region eu-west-3"),
    ],
)
def test_a_command_to_type_names_the_same_installation(given: list[str], added: str) -> None:
    """Whoever planned in one stack does not certify in another one."""
    from certifier.cli import parser_of
    from certifier.cli.installation import again

    args = parser_of(["watch"]).parse_args(["watch", *given])
    assert again(args, "certifier", "watch", "run-1") == f"certifier watch run-1{added}"
