"""A handshake that is cut off at its boundaries, or answered by something other than TLS.

Whatever ends it, verdicts and words are libpq's, where the probe has words of libpq's at all.
"""

import pytest

from certifier.probe import AddressPolicy, ProbeRequest, probe
from sandbox.pki import Authority
from tests.probe.fakes import Fake, Peer
from tests.probe.reference import MODES, libpq_says

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
HOST = "db.example.com"
_CA = Authority.root("Example root").certificate_pem


def _record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


_ANSWERS = {
    "nothing": b"",
    "the end of TLS": _record(21, b"\1\0"),
    "a warning that it was cancelled": _record(21, b"\1\x5a"),
    "a warning of another kind": _record(21, b"\1\x28"),
    "an alert that is too short": _record(21, b"\2"),
    "an alert of a level that there is not": _record(21, b"\3\x28"),
    "an alert in SSL 3.0": _record(21, b"\2\x28", 0x0300),
    "an alert in TLS 1.0": _record(21, b"\2\x46", 0x0301),
    "data before the handshake": _record(23, b"hello"),
    "a change of ciphers": _record(20, b"\1"),
    "a handshake without content": _record(22, b""),
    "a Finished": _record(22, b"\x14\0\0\0"),
    "SSL 2": b"\x80\x2e\x04",
    "zeros": bytes(50),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "SSH": b"SSH-2.0-server\r\n",
    "an error in plain text": b"E\0\0\0\x20SFATAL\0C28000\0Mno\0\0",
    **{f"alert {number}": _record(21, bytes([2, number])) for number in (*range(0, 130, 10), 255)},
    **{
        f"a hello of version {version:x}": _record(
            22, b"\2\0\0\x28" + version.to_bytes(2, "big") + b"\1" * 32 + b"\0\xc0\x2f\0\0\0"
        )
        for version in (0x0200, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x0305)
    },
}


@pytest.mark.parametrize("answer", _ANSWERS.values(), ids=_ANSWERS)
def test_whatever_ends_a_handshake_is_said_in_libpqs_words(answer: bytes) -> None:
    """The first line at least: the second one is a hint."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.receive()
        peer.send(answer)
        peer.sock.shutdown(1)
        peer.receive()

    with Fake(script) as fake:
        report = probe(
            ProbeRequest(
                HOST,
                port=fake.port,
                address="127.0.0.1",
                ca_bundle=_CA,
                timeout=5,
                policy=AddressPolicy.anywhere(),
            )
        )
        for mode in MODES:
            said = libpq_says(HOST, fake.port, mode, ca_bundle=_CA, timeout=5)
            verdict = report.verdicts.of(mode)
            assert verdict.passed == said.connected
            expected = said.text.partition("\n")[0]
            assert (verdict.libpq or expected).partition("\n")[0] == expected
