"""The evidence says which OpenSSL looked, and what it offers to every server."""

import socket
import ssl
from typing import Any

import pytest

from certifier.evidence import OpenSsl, ProbeReport
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.probe.library import _CURVES, _SCHEMES, _named
from sandbox.listener import listening


def looked(port: int, **ask: Any) -> ProbeReport:
    policy = AddressPolicy.anywhere()
    return probe(ProbeRequest(host="127.0.0.1", port=port, policy=policy, timeout=5, **ask))


def evidence(report: ProbeReport) -> OpenSsl:
    assert report.evidence.openssl is not None
    return report.evidence.openssl


def listed(kind: int, names: tuple[str, ...], known: dict[int, str]) -> bytes:
    """Return the extension of a ClientHello that lists these names (RFC 8446, section 4.2)."""
    number = {name: code for code, name in known.items()}
    codes = b"".join(number[name].to_bytes(2) for name in names)
    inner = len(codes).to_bytes(2) + codes
    return kind.to_bytes(2) + len(inner).to_bytes(2) + inner


@pytest.mark.parametrize("ask", [{}, {"max_tls": "1.2"}, {"min_tls": "1.3"}])
def test_the_evidence_is_what_the_server_was_offered(ask: dict[str, str]) -> None:
    """Byte for byte: the two lists stand in each greeting that arrived."""
    arrived: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"S")
        arrived.append(connection.recv(16384))

    with listening(handle) as port:
        found = evidence(looked(port, **ask))
    assert found.version == ssl.OPENSSL_VERSION
    assert arrived
    assert {"x25519", "secp256r1"} & {*found.curves}
    for greeting in arrived:  # the probe looks again, without ALPN, when a server hangs up on it
        assert listed(10, found.curves, _CURVES) in greeting
        assert listed(13, found.signature_algorithms, _SCHEMES) in greeting


def test_it_is_there_when_nobody_answers() -> None:
    """What looks is known before anything is seen."""
    with listening(lambda _: None) as port:
        assert evidence(looked(port)).curves
    assert evidence(looked(port)).curves


def test_a_version_that_the_library_does_not_offer_has_nothing_to_list() -> None:
    """TLS 1.0 alone: the lists are empty, and the probe says why it fails."""
    with listening(lambda connection: connection.sendall(b"S")) as port:
        report = looked(port, max_tls="1.0")
    assert report.verdict == "fail"
    assert evidence(report).curves == ()


def test_a_number_without_a_name_is_shown_as_one() -> None:
    """A newer OpenSSL offers what nobody here has heard of."""
    assert _named(bytes.fromhex("0004001d2a2a"), _CURVES) == ("x25519", "0x2a2a")
