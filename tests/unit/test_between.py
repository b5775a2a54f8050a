"""What shows that TLS ends before PostgreSQL: of the server's own row, of SCRAM, of the name."""

from typing import Any

import pytest

from certifier.evidence import Evidence, LoginFacts, TlsFacts
from certifier.probe.between import ends_before
from certifier.vocabulary import Stage

_OURS = {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"}
_SAME: dict[str, Any] = {
    "session_ssl": True,
    "session_version": "TLSv1.3",
    "session_cipher": "TLS_AES_256_GCM_SHA384",
    "server_version": "17.2",
    "method": "scram-sha-256-plus",
}
_PROXY = "orders.proxy-c1abcdefghij.eu-west-1.rds.amazonaws.com"


def seen(host: str = "db.example.com", **login: Any) -> str | None:
    """What is said of a login that differs in this from the usual one."""
    evidence = Evidence(
        host=host,
        port=5432,
        reached=Stage.QUERY,
        tls=TlsFacts(**_OURS, bits=256, alpn=None, verified=True),
        login=LoginFacts(succeeded=True, **{**_SAME, **login}),
    )
    between = ends_before(evidence)
    return None if between is None else between.seen


@pytest.mark.parametrize(
    ("login", "word"),
    [
        ({"session_ssl": False}, "this session has none"),
        ({"session_version": "TLSv1.2"}, "this session has TLSv1.2 with TLS_AES"),
        ({"session_cipher": "TLS_AES_128_GCM_SHA256"}, "with TLS_AES_128_GCM_SHA256"),
        ({"method": "scram-sha-256"}, "without channel binding, which PostgreSQL 17.2"),
        ({"method": "scram-sha-256", "server_version": "11.22 (Debian)"}, "PostgreSQL 11.22"),
    ],
)
def test_what_differs_between_both_ends_is_noticed(login: dict[str, Any], word: str) -> None:
    """Where the server speaks of another TLS than ours, or does not bind SCRAM to ours."""
    assert word in (seen(**login) or "")


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"method": "scram-sha-256", "server_version": "10.23"},
        {"method": "scram-sha-256", "server_version": None},
        {"method": "md5"},
        {"method": "trust"},
        {"session_ssl": None, "session_version": None, "session_cipher": None},
        {"session_version": "TLSv1.2", "session_cipher": None},
    ],
)
def test_a_server_that_is_asked_directly_is_not_suspected(login: dict[str, Any]) -> None:
    """Also one that is too old to bind, or does not tell of its sessions."""
    assert seen(**login) is None


def test_an_rds_proxy_is_known_by_its_name() -> None:
    """It has TLS on both sides, and no change data capture works through it."""
    assert seen(host=_PROXY) == f"{_PROXY} is an RDS Proxy, which ends TLS"


def test_without_a_login_nothing_is_known() -> None:
    """Nor without TLS."""
    assert ends_before(Evidence(host="h", port=1, reached=Stage.TCP)) is None
