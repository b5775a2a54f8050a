"""What a mode that does not verify leaves open."""

from typing import Any

import pytest

from certifier.diagnosis import finding
from certifier.probe import ProbeRequest, probe
from certifier.run.documents import Change, Material, Probed
from certifier.run.exposure import exposure, login_unseen
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


def test_it_is_said_where_nobody_has_looked_how_a_server_asks() -> None:
    """Each reason has its words; where the probe has looked there is none."""
    report = probe(ProbeRequest(""))  # which reaches nobody
    there = report.evidence.model_copy(update={"peer": "192.0.2.1"})
    missed, looked = (
        Probed(report=one) for one in (report, report.model_copy(update={"evidence": there}))
    )
    known = Material(username="dms")
    for spec, material, probed, why in (
        (source("require", credentials=CREDENTIALS), known, looked, None),
        (source("require", credentials=CREDENTIALS, probe="off"), known, Probed(), "probe is off"),
        (source("require", probe_login=False), known, looked, "probe_login is false"),
        (source("require"), known, missed, "the probe did not reach the server"),
        (source("require"), Material(), looked, "a secret that the source does not name"),
    ):
        seen = login_unseen(spec, material, probed)
        assert seen is None if why is None else why in (seen or "")
        (found,) = exposure(spec, [], [], unseen=seen)
        assert ("was not looked at" in found.seen) is (why is not None)
