"""The probe, libpq and the intake over certificates that no library would make.

Each case is a number, as in ``test_grammar``. CERTIFIER_CASES says how many.
"""

import os
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certifier.certificate import asn1, certificate_facts, check_material
from certifier.diagnosis import explain
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode
from tests.probe.fakes import READY, Fake, Peer, Script, authentication
from tests.probe.hostile import ROOT, rsa_key
from tests.probe.odd_certificates import Chain, chain_of
from tests.probe.reference import MODES, Said, libpq_says

_FUZZING = "CERTIFIER_CASES" in os.environ
_CASES = int(os.environ["CERTIFIER_CASES"]) // 8 if _FUZZING else 64
_SHARES = 4  # tests that the cases are spread over
_KEY = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

pytestmark = pytest.mark.timeout(7200 if _FUZZING else 300)


def _serving(chain: Chain) -> Script:
    def script(peer: Peer) -> None:
        peer.accept_any(chain.certificates, rsa_key())
        peer.read_startup()
        peer.send(authentication(0) + READY)
        peer.receive()

    return script


def _taken_in(chain: Chain, mode: SslMode) -> bool:
    taken = check_material(
        certificate=chain.pem,
        private_key=_KEY,
        chain=None,
        ca=ROOT.certificate_pem,
        host=chain.host,
        ssl_mode=mode,
        now=datetime.now(UTC),
        policy=Policy(),
    )
    assert "PRIVATE KEY" not in repr(taken)  # and whatever was read of it can be shown
    return taken.accepted


def _judge(chain: Chain) -> None:
    for der in chain.certificates:
        certificate_facts(der).model_dump_json()
    ca = ROOT.certificate_pem
    with Fake(_serving(chain)) as fake:
        report = probe(
            ProbeRequest(
                chain.host,
                port=fake.port,
                address="127.0.0.1",
                ca_bundle=ca,
                timeout=5,
                policy=AddressPolicy.anywhere(),
            )
        )
        for mode in MODES:
            said = libpq_says(chain.host, fake.port, mode, ca_bundle=ca, timeout=5)
            verdict = report.verdicts.of(mode)
            assert verdict.passed == said.connected, (mode, said, verdict)
            if verdict.cause is Cause.HOSTNAME_MISMATCH:
                _same_words(said, verdict.libpq)
            elif not said.connected:
                assert verdict.libpq in (None, said.text), (mode, said, verdict)
            if said.connected and mode is not SslMode.REQUIRE:
                assert _taken_in(chain, mode), (mode, chain.host)


def _same_words(said: Said, predicted: str | None) -> None:
    assert explain(said.text).cause is Cause.HOSTNAME_MISMATCH
    assert "\ufffd" in said.text or predicted == said.text


@pytest.mark.parametrize("number", range(_SHARES))
def test_fuzzed_chains_are_judged_as_libpq_does(number: int) -> None:
    """They verify for both or for neither, in libpq's words; what it takes, the intake takes."""
    for seed in range(number, _CASES, _SHARES):
        try:
            _judge(chain_of(seed))
        except AssertionError as problem:
            raise AssertionError(f"case {seed}: {problem}") from problem


def test_much_of_it_verifies() -> None:
    """Or the grammar shows nothing but that what is broken is broken."""
    good = sum(_taken_in(chain_of(seed), SslMode.VERIFY_CA) for seed in range(200))
    assert good > 50


def test_the_year_0_is_long_ago() -> None:
    """OpenSSL takes it; Python has no such year."""
    for text in (b"00000101000000Z", b"00010101000000Z"):
        assert asn1.time(asn1.element(b"\x18\x0f" + text)).year == 1
    with pytest.raises(asn1.DerError):
        asn1.time(asn1.element(b"\x18\x0f00000230000000Z"))
