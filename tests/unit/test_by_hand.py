"""What a person is given to type where a change could not be rolled back."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.run.by_hand import as_it_was, command, not_rolled_back
from certifier.run.documents import Material, UndoLog
from certifier.source import parse_source
from certifier.vocabulary import Cause, SettingsUnderTest, SslMode

ARN = "arn:aws:dms:eu-west-1:123456789012:endpoint:ABC"
CA = "arn:aws:dms:eu-west-1:123456789012:cert:OLD"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"
LOGIN = EndpointFields(
    ssl_mode=SslMode.VERIFY_CA,
    certificate_arn=CA,
    server_name="db.test",
    port=5432,
    database_name="or ders",
    username="dms",
)
BY_SECRET = EndpointFields(
    ssl_mode=SslMode.VERIFY_CA, database_name="orders", secret_id="dms/orders", secret_role_arn="R"
)


def endpoint(fields: EndpointFields) -> Endpoint:
    return Endpoint(
        arn=ARN,
        identifier="orders",
        endpoint_type="source",
        engine="aurora-postgresql",
        status="active",
        fields=fields,
    )


def log(*names: str, old: EndpointFields, **fields: Any) -> UndoLog:
    given: dict[str, Any] = {
        "endpoint_arn": ARN,
        "endpoint_identifier": "orders",
        "fields": names,
        "old": old,
        "new": EndpointFields(ssl_mode=SslMode.VERIFY_FULL, secret_id="dms/new"),
        "written": SettingsUnderTest.NEW,
        "accepted": True,
    }
    return UndoLog.model_validate({**given, **fields})


@pytest.mark.parametrize(
    ("names", "fields", "more", "expected"),
    [
        (
            ("ssl_mode", "certificate_arn"),
            LOGIN,
            {},
            f"--ssl-mode verify-ca --certificate-arn {CA} --database-name 'or ders'",
        ),
        (
            ("server_name",),
            LOGIN,
            {},
            "--server-name db.test --port 5432 --username dms --database-name 'or ders'",
        ),
        (
            (),
            LOGIN,
            {"new_password_version": "new", "old_password_version": "old"},
            "--server-name db.test --port 5432 --username dms --database-name 'or ders'",
        ),
        (
            ("ssl_mode",),
            BY_SECRET,
            {},
            '--ssl-mode verify-ca --postgre-sql-settings \'{"DatabaseName":"orders"}\'',
        ),
        (
            ("secret_id",),
            BY_SECRET,
            {},
            '--postgre-sql-settings \'{"DatabaseName":"orders","SecretsManagerSecretId":'
            '"dms/orders","SecretsManagerAccessRoleArn":"R"}\'',
        ),
    ],
)
def test_the_command_sends_what_dms_wants_to_see_together(
    names: tuple[str, ...], fields: EndpointFields, more: dict[str, Any], expected: str
) -> None:
    """The values of before and what belongs to them, for a shell; nothing else moves."""
    shown = command(log(*names, old=fields, **more), endpoint(fields))
    assert shown == (
        f"aws dms modify-endpoint --endpoint-arn {ARN} --engine-name aurora-postgresql "
        f"{expected} --region eu-west-1"
    )


def test_what_was_there_before_is_that_of_the_document_not_of_the_log() -> None:
    """Whoever can write to the table has nobody type a weaker mode."""
    forged = log("ssl_mode", old=EndpointFields(ssl_mode=SslMode.NONE))
    found = not_rolled_back(forged, endpoint(LOGIN))
    assert found is not None
    assert "--ssl-mode verify-ca" in found.remedy
    assert "none" not in found.seen + found.remedy


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Cause.NOT_ROLLED_BACK),
        ({"accepted": False}, Cause.NOT_ROLLED_BACK),
        ({"written": None}, None),
        ({"written": SettingsUnderTest.OLD}, None),
        ({"written": SettingsUnderTest.OLD, "accepted": False}, Cause.NOT_ROLLED_BACK),
        ({"created": True}, None),
    ],
)
def test_only_what_may_have_been_written_is_reported(
    fields: dict[str, Any], expected: Cause | None
) -> None:
    """Not what DMS never got, nor what it has taken back."""
    found = not_rolled_back(log("ssl_mode", old=LOGIN, **fields), endpoint(LOGIN))
    assert (found.cause if found else None) == expected


def test_without_the_document_nothing_is_given_to_type() -> None:
    """Somebody has emptied the bucket: the catalogue's words remain."""
    found = not_rolled_back(log("ssl_mode", old=LOGIN), None)
    assert found is not None
    assert "aws dms" not in found.remedy
    assert "ssl_mode verify-full (before: verify-ca)" in found.seen


OF_PASSWORD = {
    "credentials": SECRET,
    "new_password_version": "8f3b6f2e-5d0c-4a57-9a5e-0f8f0c1d2e3f",
    "old_password_version": "1c9d2a44-7f6e-4b1c-8d3a-6e5f4a3b2c1d",
}
SHELLS = [path for name in ("bash", "dash", "sh", "zsh") if (path := shutil.which(name))]
AWS = """#!/bin/sh
printf '%s\\n' "$*" >> "$SEEN/calls"
case "$1" in
    secretsmanager) cat "$SEEN/secret" || exit 255 ;;
    dms) cat > "$SEEN/given" ;;
esac
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what ``aws`` was called with and was given, and what it answers."""
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(AWS)
    aws.chmod(0o755)
    monkeypatch.setenv("PATH", str(aws.parent), prepend=os.pathsep)
    monkeypatch.setenv("SEEN", str(tmp_path))
    return tmp_path


def typed(shell: str) -> int:
    """Run what is shown of a change with a password, as a person pastes it."""
    shown = command(log("ssl_mode", old=LOGIN, **OF_PASSWORD), endpoint(LOGIN))
    return subprocess.run([shell, "-c", shown], check=False, timeout=30).returncode


needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="the command needs jq")


@needs_jq
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "password", ["pa55", "-n", "%s\\n", "a b\"c'd$(id)`id`\\\\", "file://x", "ä€🔒"]
)
def test_a_password_reaches_dms_by_a_pipe_alone(seen: Path, shell: str, password: str) -> None:
    """As it is; not in the words of a call, which a history and a list of processes show."""
    (seen / "secret").write_text(json.dumps({"username": "dms", "password": password}))
    assert typed(shell) == 0
    assert (seen / "given").read_text() == password
    get, modify = (seen / "calls").read_text().splitlines()
    assert get == (
        f"secretsmanager get-secret-value --secret-id {SECRET}"
        f" --version-id {OF_PASSWORD['old_password_version']}"
        " --query SecretString --output text --region eu-west-1"
    )
    assert modify.endswith("--password file:///dev/stdin --region eu-west-1")
    assert "--ssl-mode verify-ca" in modify


@needs_jq
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "secret", [None, "", "None", "{}", '{"password": null}', '{"password": ""}']
)
def test_without_the_password_dms_is_not_called(seen: Path, shell: str, secret: str | None) -> None:
    """An empty one would be set: the version is gone, or the secret may not be read."""
    if secret is not None:
        (seen / "secret").write_text(secret)
    assert typed(shell) != 0
    assert len((seen / "calls").read_text().splitlines()) == 1


def test_the_longest_command_of_a_cluster_is_shown() -> None:
    """With every option, and names as they are in a large account."""
    arn = f"arn:aws:dms:eu-central-1:123456789012:endpoint:{'A' * 39}"
    fields = LOGIN.model_copy(
        update={
            "ssl_mode": SslMode.VERIFY_FULL,
            "certificate_arn": arn.replace(":endpoint:", ":cert:"),
            "server_name": "orders-prod-db.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com",
            "database_name": "orders",
            "username": "dms_replication",
        }
    )
    secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:dms/orders-prod-AbCdEf"
    given = {**OF_PASSWORD, "credentials": secret}
    change = log("ssl_mode", "certificate_arn", old=fields, **given)
    found = not_rolled_back(change, endpoint(fields).model_copy(update={"arn": arn}))
    assert found is not None
    assert "--password file:///dev/stdin" in found.remedy


@pytest.mark.parametrize("part", ["credentials", "old_password_version"])
def test_a_secret_that_the_cli_would_read_as_something_else_is_not_shown(part: str) -> None:
    """Whatever a log names."""
    given = {**OF_PASSWORD, part: "file:///etc/passwd"}
    found = not_rolled_back(log("ssl_mode", old=LOGIN, **given), endpoint(LOGIN))
    assert found is not None
    assert "aws dms" not in found.remedy


def test_a_command_is_whole_or_not_shown() -> None:
    """A finding and a mail cut a text that is too long, and half a command is not one to type."""
    long = BY_SECRET.model_copy(update={"secret_id": f"arn:{'x' * 900}"})
    found = not_rolled_back(log("secret_id", old=long), endpoint(long))
    assert found is not None
    assert "aws dms" not in found.remedy


def test_without_anything_to_write_there_is_no_command() -> None:
    """A password that nobody knows is not set by hand either."""
    of_password = log(old=EndpointFields(), credentials="arn:secret", new_password_version="new")
    found = not_rolled_back(of_password, endpoint(LOGIN))
    assert found is not None
    assert "aws dms" not in found.remedy


def test_a_field_that_no_endpoint_has_is_not_followed() -> None:
    """A forged log may name anything; the run is recorded all the same."""
    found = not_rolled_back(log("ssl_mode", "given", "nonsense", old=LOGIN), endpoint(LOGIN))
    assert found is not None
    assert "given" not in found.seen + found.remedy
    assert "--ssl-mode verify-ca" in found.remedy


SOURCE = parse_source(
    {
        "name": "orders",
        "endpoint": "orders",
        "host": "db.test",
        "ssl_mode": "verify-full",
        "credentials": SECRET,
        "ca_bundle": "s3://bundles/ca.pem",
    }
)


@pytest.mark.parametrize(
    ("changes", "followed"),
    [
        ({}, True),
        ({"credentials": f"{SECRET}-of-others"}, False),
        ({"old": EndpointFields(ssl_mode=SslMode.NONE)}, False),
        ({"endpoint_arn": f"{ARN}2"}, False),
    ],
)
def test_what_a_rollback_would_not_follow_nobody_is_given_to_type(
    changes: dict[str, Any], followed: bool
) -> None:
    """A forged log leads nobody to give the endpoint the password of another team's secret."""
    old = EndpointFields(ssl_mode=SslMode.VERIFY_CA)
    passwords = {"new_password_version": "new", "old_password_version": "old"}
    given: dict[str, Any] = {"old": old, "credentials": SECRET, **passwords, **changes}
    read = Material(endpoint=endpoint(LOGIN))
    found = as_it_was(log("ssl_mode", **given), source=SOURCE, owned=("orders",), material=read)
    assert found == (read.endpoint if followed else None)


def test_a_change_that_took_the_place_of_another_leads_back_to_before_the_first() -> None:
    """That is what a rollback writes, too."""
    left = LOGIN.model_copy(update={"ssl_mode": SslMode.VERIFY_FULL})
    found = as_it_was(
        log("ssl_mode", old=EndpointFields(ssl_mode=SslMode.VERIFY_CA), replaces="first"),
        source=SOURCE,
        owned=("orders",),
        material=Material(endpoint=endpoint(left)),
        first=Material(endpoint=endpoint(LOGIN)),
    )
    assert found == endpoint(LOGIN)


@pytest.mark.parametrize(
    "value",
    [
        "file:///home/dms/.aws/credentials",
        "fileb://key.pem",
        "https://example.com/name",
        "--debug",
        "or`id`ders",
        "or\u202eders",
        "or\nders",
    ],
)
@pytest.mark.parametrize("name", ["database_name", "username", "server_name"])
def test_no_command_has_a_value_that_a_shell_or_the_cli_reads_as_something_else(
    name: str, value: str
) -> None:
    """Whoever names a database so would be sent a file of the person who types the command."""
    read = LOGIN.model_copy(update={name: value})
    found = not_rolled_back(log("server_name", old=LOGIN), endpoint(read))
    assert found is not None
    assert "aws dms" not in found.remedy
    assert found.remedy.startswith("Act now")
