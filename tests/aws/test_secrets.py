"""Secrets are read at a version, and nothing of them is printed."""

import json
import logging
import pickle

import pytest

from certifier.aws.clients import Clients
from certifier.aws.secrets import Secret, Secrets
from certifier.models import Finding
from certifier.vocabulary import Cause

PASSWORD = "hunter2-correct-horse"


def stored(clients: Clients, value: str) -> tuple[str, str]:
    made = clients.client("secretsmanager").create_secret(Name="dms/orders", SecretString=value)
    return made["ARN"], made["VersionId"]


@pytest.fixture
def secrets(clients: Clients) -> Secrets:
    return Secrets(clients.client("secretsmanager"))


def test_a_secret_is_read_with_its_version(clients: Clients, secrets: Secrets) -> None:
    """The version at which it was read is pinned, and can be read again after a rotation."""
    arn, first = stored(clients, json.dumps({"username": "dms", "port": 5432}))
    read = secrets.read(arn)
    assert isinstance(read, Secret)
    assert read.version == first
    assert (read["username"], read.text("port")) == ("dms", "5432")
    clients.client("secretsmanager").put_secret_value(SecretId=arn, SecretString='{"a": "b"}')
    again = secrets.read(arn, first)
    assert isinstance(again, Secret)
    assert dict(again) == dict(read)
    assert secrets.current_version(arn) != first


def test_nothing_of_a_secret_is_printed(
    clients: Clients, secrets: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    """repr, str, formatting, logging and pickle show the secret's name, or nothing at all."""
    arn, _ = stored(clients, json.dumps({"username": "dms", "password": PASSWORD}))
    read = secrets.read(arn)
    assert isinstance(read, Secret)
    logging.getLogger("test").error("%s %r", read, [read])
    shown = f"{read} {read!r} {[read]} {read.missing('host')}" + caplog.text
    assert PASSWORD not in shown
    assert arn in shown
    with pytest.raises(TypeError):
        pickle.dumps(read)


@pytest.mark.parametrize(
    "value", [" ", PASSWORD, "[]", '"text"', "{", "[" * 60_000, '{"password": "' + PASSWORD]
)
def test_a_secret_that_is_not_a_json_object_is_incomplete(
    clients: Clients, secrets: Secrets, value: str
) -> None:
    """The finding names the secret and never what it holds."""
    arn, _ = stored(clients, value)
    found = secrets.read(arn)
    assert isinstance(found, Finding)
    assert found.cause is Cause.SECRET_INCOMPLETE
    assert arn in found.seen
    assert PASSWORD not in found.model_dump_json()


def test_every_missing_key_is_named(clients: Clients, secrets: Secrets) -> None:
    """A key that is missing, empty or of another kind is a finding of its own."""
    values = {"username": "", "password": None, "port": True, "host": ["h"], "user": "x"}
    arn, _ = stored(clients, json.dumps(values))
    read = secrets.read(arn)
    assert isinstance(read, Secret)
    found = read.missing("username", "password", "port", "host", "user", "none")
    assert [f.cause for f in found] == [Cause.SECRET_INCOMPLETE] * 5
    assert "'username'" in found[0].seen
    assert "'none'" in found[4].seen
    assert all("username, password, port, host, user" in f.seen for f in found)


def test_a_remedy_for_a_login_speaks_of_no_certificate(clients: Clients, secrets: Secrets) -> None:
    """What is missing in a credentials secret is repaired with username and password alone."""
    pair = {"certificate": "x", "tls.key": "y"}
    arn, _ = stored(clients, json.dumps(pair))
    read = secrets.read(arn)
    assert isinstance(read, Secret)
    for found in read.missing("username", "password"):
        assert "username and password" in found.remedy
        assert not {"certificate", "PEM", "chain"} & set(found.remedy.split())


def test_a_secret_of_plain_pem_is_read(clients: Clients, secrets: Secrets) -> None:
    """PEM without JSON around it is kept whole; for a login it lacks every key."""
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    arn, _ = stored(clients, pem)
    read = secrets.read(arn)
    assert isinstance(read, Secret)
    assert list(read.values()) == [pem]
    assert len(read.missing("username", "password")) == 2
    assert "AAAA" not in f"{read!r} {read.missing('username')}"


def test_a_secret_that_cannot_be_read_says_why(clients: Clients, secrets: Secrets) -> None:
    """An unknown secret, a version that is gone and one marked for deletion are distinguished."""
    arn, _ = stored(clients, "{}")
    unknown = secrets.read(arn.replace("orders", "sales"))
    gone = secrets.read(arn, "00000000-0000-4000-8000-000000000000")
    clients.client("secretsmanager").delete_secret(SecretId=arn)
    deleted = secrets.read(arn)
    for found in (unknown, gone, deleted):
        assert isinstance(found, Finding)
        assert found.cause is Cause.SECRET_UNREADABLE
    assert isinstance(gone, Finding)
    assert "at version 00000000-" in gone.seen
    assert isinstance(deleted, Finding)
    assert "InvalidRequestException" in deleted.seen


def test_a_binary_secret_is_read_as_json(clients: Clients, secrets: Secrets) -> None:
    """Tools that store bytes store the same JSON."""
    made = clients.client("secretsmanager").create_secret(
        Name="binary", SecretBinary=b'{"certificate": "x"}'
    )
    read = secrets.read(made["ARN"])
    assert isinstance(read, Secret)
    assert read.text("certificate") == "x"
