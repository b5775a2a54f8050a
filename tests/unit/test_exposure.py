"""What a mode that does not verify leaves open."""

from typing import Any

import pytest

from certifier.diagnosis import finding
from certifier.run.documents import Change
from certifier.run.exposure import exposure
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Severity, Witness

ASKED = finding(
    Cause.UNSAFE_PASSWORD_REQUEST, place=Witness.PROBE, seen="the server asks for a password"
)
CHANGE = Change(field="ssl_mode", old="none", new="require")
CREDENTIALS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"


def source(ssl_mode: str, **more: Any) -> Source:
    spec = {"name": "orders", "endpoint": "e", "host": "db.example.com", "ssl_mode": ssl_mode}
    return parse_source({**spec, "ca_bundle": "s3://trust/ca.pem", **more})


def test_a_password_that_dms_would_send_readably_stops_the_change() -> None:
    """Before DMS is given it; an endpoint that stays as it is keeps the warning."""
    assert [f.severity for f in exposure(source("verify-ca"), [ASKED], [CHANGE])] == [
        Severity.ERROR
    ]
    assert list(exposure(source("verify-ca"), [ASKED], [])) == []
    assert list(exposure(source("verify-ca"), [], [CHANGE])) == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("none", [Cause.NOTHING_VERIFIED]),
        ("require", [Cause.NOTHING_VERIFIED]),
        ("verify-ca", []),
        ("verify-full", []),
    ],
)
def test_what_verifies_nothing_says_so(mode: str, said: list[Cause]) -> None:
    """With every plan, changed or not."""
    assert [f.cause for f in exposure(source(mode), [], [])] == said


@pytest.mark.parametrize(
    ("mode", "asked", "logs_in"),
    [
        ("none", None, False),
        ("require", None, False),
        ("require", True, True),
        ("verify-ca", None, True),
        ("verify-full", None, True),
        ("verify-full", False, False),
    ],
)
def test_the_probe_logs_in_where_it_knows_to_whom(
    mode: str, asked: bool | None, logs_in: bool
) -> None:
    """Or where the source says so."""
    more = {} if asked is None else {"probe_login": asked}
    assert source(mode, credentials=CREDENTIALS, **more).logs_in is logs_in
