"""A password is not the server's choice, and yet what it costs to hide it is bounded."""

import pytest

from certifier.aws.secrets import Secret
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.redactor import SECRET_LIMIT
from certifier.vocabulary import Cause, Stage
from sandbox.pki import Authority
from tests.probe.fakes import READY, Fake, Script, authentication, message, scripted_login

_HOST = "db.example.com"
_ROOT = Authority.root("Root")
_LEAF = _ROOT.issue(dns=[_HOST])


def _server() -> Script:
    """A server that asks for the password in clear text, and lets everybody in."""
    return scripted_login(
        _LEAF,
        authentication(3),
        authentication(0) + READY,
        message(b"C", b"SELECT 0\0") + READY,
    )


def _ask(port: int, password: str) -> ProbeReport:
    return probe(
        ProbeRequest(
            _HOST,
            port=port,
            address="127.0.0.1",
            user="u",
            password=lambda: password,
            ca_bundle=_ROOT.certificate_pem,
            policy=AddressPolicy.anywhere(),
        )
    )


def test_a_password_that_is_too_long_to_hide_is_not_sent() -> None:
    """Secrets Manager holds 64 KB; the pieces of such a password would be a hundred megabytes."""
    with Fake(_server()) as fake:
        report = _ask(fake.port, "pass" * SECRET_LIMIT)
    found = report.findings[0]
    assert (found.cause, found.stage) == (Cause.PASSWORD_UNUSABLE, Stage.LOGIN)
    assert f"{SECRET_LIMIT:,} characters" in found.remedy
    assert b"passpass" not in fake.received
    assert report.evidence.tls is not None
    assert report.evidence.tls.verified


def test_the_longest_password_is_sent() -> None:
    """The bound is what is refused, and no more."""
    with Fake(_server()) as fake:
        _ask(fake.port, "p" * SECRET_LIMIT)
    assert b"p" * SECRET_LIMIT + b"\0" in fake.received


@pytest.mark.parametrize("key", ["username", "password", "host", "port"])
def test_intake_refuses_what_is_too_long(key: str) -> None:
    """Of a colleague's secret too, before anything is done with it, and without showing it."""
    secret = Secret("arn", "v", {key: "x" * (SECRET_LIMIT + 1)})
    [found] = secret.not_text("username", "password", "host", "port")
    assert found.cause is Cause.SECRET_NOT_TEXT
    assert key in found.seen
    assert "xxx" not in found.seen
    assert not Secret("arn", "v", {key: "x" * SECRET_LIMIT}).not_text(key)
