"""What a probe says: of the path that was walked, by stage, and by what answered."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certifier.cli import main
from certifier.diagnosis import CATALOGUE
from certifier.models import Finding
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode, Stage
from sandbox.pki import Authority, Key, Leaf
from tests.probe.fakes import (
    READY,
    Fake,
    Peer,
    Script,
    authentication,
    message,
    parameter,
    rows,
    scripted_login,
)

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_LEAF = _ROOT.issue(dns=[_HOST])
_NOW = datetime.now(UTC)


def look(port: int, **more: Any) -> ProbeReport:
    usual: dict[str, Any] = {
        "host": _HOST,
        "address": "127.0.0.1",
        "user": "u",
        "password": lambda: "a password",
        "ca_bundle": _ROOT.certificate_pem,
        "timeout": 8.0,
    }
    return probe(ProbeRequest(**{**usual, **more}, port=port, policy=AddressPolicy.anywhere()))


def lets_in(leaf: Leaf) -> Script:
    return scripted_login(leaf, authentication(0) + READY, message(b"I") + READY)


def of(report: ProbeReport, cause: Cause) -> Finding:
    (found,) = [one for one in report.findings if one.cause is cause]
    return found


# ---- the path that was walked


def _beside(leaf: Leaf, *others: Authority) -> Leaf:
    """The leaf, served with certificates that no path to the CA needs."""
    return replace(leaf, chain=(*leaf.chain, *(one.certificate for one in others)))


def test_what_nobody_walks_over_counts_for_nothing() -> None:
    """An expired cross-sign that is served besides neither expires nor is found."""
    old = Authority.root("Old", not_after=_NOW - timedelta(days=1))
    stale = Authority.root(
        "Example root",
        private_key=_ROOT.private_key,
        not_before=_NOW - timedelta(days=2000),
        not_after=_NOW - timedelta(days=791),
    )
    weak = Authority.root("Weak", key=Key.RSA_1024)
    with Fake(lets_in(_beside(_LEAF, stale, old, weak))) as fake:
        report = look(fake.port)
    assert report.passed
    assert report.evidence.chain_length == 4
    assert (report.evidence.days_left or 0) > 80
    assert [one.cause for one in report.findings] == []


def test_without_a_path_everything_that_is_served_counts() -> None:
    """Nobody knows which way a client would have gone."""
    stranger = Authority.root("Stranger", key=Key.RSA_1024)
    with Fake(lets_in(_beside(stranger.issue(dns=[_HOST]), stranger))) as fake:
        report = look(fake.port)
    assert of(report, Cause.KEY_TOO_SMALL).seen.startswith("CN=Stranger")


@pytest.mark.shows(Cause.TRUST_BY_CROSS_SIGN)
@pytest.mark.parametrize("name", ["Root YR", "Generation Y"])
def test_trust_that_hangs_on_a_cross_sign_says_so(name: str) -> None:
    """Its root is trusted by nobody yet: the server must send it, and the date ends it."""
    young = Authority.root(name)
    crossed = _ROOT.cross_sign(young)
    leaf = crossed.intermediate("YR1").issue(dns=[_HOST])
    served = leaf if "Root" in name else _beside(leaf, young)
    with Fake(lets_in(served)) as fake:
        report = look(fake.port)
        both = look(fake.port, ca_bundle=_ROOT.certificate_pem + young.certificate_pem)
    assert report.passed
    said = of(report, Cause.TRUST_BY_CROSS_SIGN).seen
    assert f"CN={name}" in said
    assert f"{crossed.certificate.not_valid_after_utc:%Y-%m-%d}" in said
    assert both.passed
    assert both.findings == ()


def test_an_intermediate_is_not_a_cross_sign() -> None:
    """What another CA has signed is the usual case, unless it is a root."""
    with Fake(lets_in(_ROOT.intermediate("Issuing CA").issue(dns=[_HOST]))) as fake:
        assert look(fake.port).findings == ()


# ---- by stage


def _stops(*answers: bytes) -> Script:
    """Answers, then silence."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        for answer in answers:
            peer.send(answer)
            peer.read_message()
        peer.pause(5)

    return script


def _silent(peer: Peer) -> None:
    peer.read_startup()
    peer.pause(5)


@pytest.mark.parametrize(
    ("script", "stage", "words"),
    [
        (_silent, Stage.SSL_REQUEST, "network lets the connection through"),
        (_stops(), Stage.STARTUP, "Network and TLS are good"),
        (_stops(authentication(3)), Stage.LOGIN, "Network and TLS are good"),
        (_stops(authentication(0) + READY), Stage.QUERY, "Network and TLS are good"),
    ],
)
def test_a_timeout_after_the_network_is_not_the_networks(
    script: Script, stage: Stage, words: str
) -> None:
    """Security groups are advice for those who cannot connect."""
    with Fake(script) as fake:
        found = of(look(fake.port, timeout=0.7), Cause.CONNECTION_TIMEOUT)
    assert found.stage is stage
    assert words in found.remedy
    assert "Allow the port" not in found.remedy


def test_a_reset_at_the_query_of_a_console_says_that_it_is_one() -> None:
    """PgBouncer's console says what it is before it hangs up."""
    welcome = authentication(0) + parameter("server_version", "1.25.0/bouncer") + READY
    with Fake(scripted_login(_LEAF, welcome)) as fake:
        report = look(fake.port)
    found = of(report, Cause.CONNECTION_RESET)
    assert found.stage is Stage.QUERY
    assert "name the real database" in found.remedy
    assert report.evidence.login is not None
    assert report.evidence.login.server_version == "1.25.0/bouncer"


def test_a_signature_without_a_hash_is_not_pg_hbas_fault() -> None:
    """SCRAM cannot bind to it: the certificate is to be signed again."""
    leaf = Authority.root("Modern", key=Key.ED25519).issue(dns=[_HOST], key=Key.EC_P256)
    asks = authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
    with Fake(scripted_login(leaf, asks)) as fake:
        report = look(fake.port, ca_bundle=None, ssl_mode=SslMode.REQUIRE)
    found = of(report, Cause.AUTHENTICATION_UNSUPPORTED)
    assert "pg_hba" not in found.remedy
    assert "hostssl" not in found.remedy
    assert "sign the server's certificate" in found.remedy


def test_any_other_method_is() -> None:
    """GSSAPI is a line of pg_hba.conf."""
    with Fake(scripted_login(_LEAF, authentication(7))) as fake:
        assert "hostssl" in of(look(fake.port), Cause.AUTHENTICATION_UNSUPPORTED).remedy


# ---- by what stands in between

_ROW = [b"on", b"17.2", None, b"false", None, None, None, b"false"]


def _behind(process: int, answers: int | None) -> Script:
    """A session without TLS behind one with it; the login says one process, the query another."""
    values = _ROW + [None] * 4
    body = b"".join(
        b"\xff\xff\xff\xff" if one is None else len(one).to_bytes(4, "big") + one for one in values
    )
    row = message(b"D", len(values).to_bytes(2, "big") + body)
    pid = str(answers).encode()
    own = message(b"D", b"\0\1" + len(pid).to_bytes(4, "big") + pid)
    welcome = authentication(0) + message(b"K", process.to_bytes(4, "big") + bytes(4)) + READY
    answer = rows(*"abcdefghijkl") + row + READY
    return scripted_login(
        _LEAF, welcome, answer, *([rows("p") + own + READY] if answers is not None else [])
    )


@pytest.mark.parametrize(
    ("process", "answers", "same", "works"),
    [(4711, 4711, True, True), (4711, 12, False, False), (4711, None, None, False)],
    ids=["a tunnel", "a pooler", "it does not tell"],
)
def test_a_tunnel_is_not_a_pooler(
    process: int, answers: int | None, same: bool | None, works: bool
) -> None:
    """Change data capture works through a tunnel, and not through a pooler."""
    with Fake(_behind(process, answers)) as fake:
        report = look(fake.port)
    assert report.passed
    assert report.evidence.login is not None
    assert report.evidence.login.same_process is same
    remedy = of(report, Cause.TLS_ENDS_AT_PROXY).remedy
    assert ("Change data capture works" in remedy) == works
    assert ("does not work through" in remedy) != works


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (Cause.SSL_OFF, "client_tls_sslmode"),
        (Cause.SERVED_CERTIFICATE_DIFFERS, "client_tls_cert_file"),
        (Cause.TLS_NO_SHARED_PROTOCOL, "client_tls_protocols"),
    ],
)
def test_remedies_name_the_settings_of_what_may_stand_in_front(cause: Cause, word: str) -> None:
    """PostgreSQL's own settings are not the only ones."""
    assert word in CATALOGUE[cause].remedy


# ---- addresses and names


def test_an_address_of_ipv6_that_is_unreachable_says_that_it_is_one() -> None:
    """A replication instance without IPv6 is the likeliest reason."""

    def resolve(*_: object, **__: object) -> list[Any]:
        target = ("fe80::1", 5432, 0, 0)  # without the interface that it is reached by
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", target)]

    report = probe(
        ProbeRequest(_HOST, timeout=1.0, policy=AddressPolicy.anywhere()),
        resolve=resolve,
    )
    found = report.findings[0]
    assert found.cause is Cause.HOST_UNREACHABLE
    assert "IPv6 address" in found.seen
    assert "DUAL" in found.remedy


@pytest.mark.parametrize("host", ["db-\udcff.example.com", "\udce9"])
def test_a_host_that_is_not_utf_8_is_answered_as_json(
    host: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Bytes of the command line that are not text are escaped in what is printed."""
    ca = tmp_path / "root.crt"
    ca.write_bytes(_ROOT.certificate_pem)
    with Fake(lets_in(_LEAF)) as fake:
        port = str(fake.port)
        for mode in ("verify-full", "require"):
            arguments = ["--address", "127.0.0.1", "--port", port, "--ca-bundle", str(ca)]
            main(["probe", host, *arguments, "--ssl-mode", mode, "--json"])
            report = ProbeReport.model_validate_json(capsys.readouterr().out)
            assert "\\udc" in report.evidence.host
