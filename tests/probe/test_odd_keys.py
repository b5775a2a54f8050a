"""Keys that hardly anybody has, of a server or a CA: libpq, the probe and the intake.

A real PostgreSQL serves each. RSA-512 is a CA's alone: no server takes it for its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from certifier.certificate import check_material, trust_bundle
from certifier.models import Policy, errors_in
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode
from sandbox.postgres import Access, Postgres, TlsFiles
from tests.probe.odd_keys import HOST, KINDS, World, world
from tests.probe.reference import MODES, libpq_says

_USUAL = "RSA with exponent 3"
_NOT_LOADED = ("brainpoolP320r1", "sect283k1", "RSA of three primes")
"""Keys that the library does not load. The intake says so, and what to use instead."""

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One server that lets everybody in."""
    made = world(_USUAL, _USUAL)
    files = TlsFiles(made.fullchain_pem, made.key_pem)
    with Postgres.start(tls=files, hba=Access.TRUST) as server:
        yield server


def _judge(server: Postgres, kind: str, made: World) -> None:
    """Compare the three."""
    before = len(server.log())
    server.write_tls(TlsFiles(made.fullchain_pem, made.key_pem))
    server.configure({"ssl": "on"})
    assert "could not load" not in server.log()[before:]
    report = probe(
        ProbeRequest(
            HOST,
            port=server.port,
            address=server.host,
            ca_bundle=made.ca_pem,
            policy=AddressPolicy.anywhere(),
        )
    )
    for mode in MODES:
        said = libpq_says(HOST, server.port, mode, ca_bundle=made.ca_pem)
        verdict = report.verdicts.of(mode)
        assert verdict.passed == said.connected, (mode, said, verdict)
        if not said.connected:
            assert verdict.libpq in (None, said.text), (mode, said, verdict)
        taken = check_material(
            certificate=made.fullchain_pem,
            private_key=made.key_pem,
            chain=None,
            ca=made.ca_pem,
            host=HOST,
            ssl_mode=mode,
            now=datetime.now(UTC),
            policy=Policy(),
        )
        assert "PRIVATE KEY" not in repr(taken)
        if said.connected and mode is not SslMode.REQUIRE and not taken.accepted:
            refused = {each.cause for each in errors_in(taken.findings)}
            assert kind in _NOT_LOADED
            assert refused <= {Cause.KEY_UNSUPPORTED, Cause.NO_USABLE_CA}, taken.findings
            assert Cause.KEY_UNSUPPORTED in {each.cause for each in taken.findings}
            assert "damaged" not in str(taken.findings)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "RSA-512"])
def test_a_leaf_with_such_a_key_is_judged_as_libpq_does(server: Postgres, kind: str) -> None:
    """In every mode, and what libpq connects with, the intake takes."""
    _judge(server, kind, world(kind, _USUAL))


@pytest.mark.parametrize("kind", KINDS)
def test_a_ca_with_such_a_key_is_judged_as_libpq_does(server: Postgres, kind: str) -> None:
    """The same, of a usual leaf."""
    _judge(server, kind, world(_USUAL, kind))


@pytest.mark.parametrize("kind", ["brainpoolP320r1", "sect283k1"])
def test_a_ca_whose_key_cannot_be_read_is_not_called_damaged(kind: str) -> None:
    """Alone or above another CA: its signature cannot be checked, which is what is said."""
    made = world(_USUAL, kind)
    taken = check_material(
        certificate=made.fullchain_pem,
        private_key=made.key_pem,
        chain=made.ca_pem,
        ca=None,
        host=HOST,
        ssl_mode=SslMode.VERIFY_FULL,
        now=datetime.now(UTC),
        policy=Policy(),
    )
    assert "damaged" not in str(taken.findings)
    (why,) = [each for each in taken.findings if each.cause is Cause.KEY_UNSUPPORTED]
    assert "cannot be checked" in why.seen
    bundle = trust_bundle(made.ca_pem, datetime.now(UTC))
    assert {each.cause for each in bundle.findings} == {Cause.KEY_UNSUPPORTED, Cause.NO_USABLE_CA}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("brainpoolP320r1", "is on the elliptic curve brainpoolP320r1: libpq takes it where"),
        ("sect283k1", "is on the elliptic curve sect283k1: libpq takes it where"),
        ("RSA of three primes", "is RSA of more than two primes: PostgreSQL takes it, and"),
    ],
)
def test_a_key_that_only_openssl_reads_is_named(kind: str, said: str) -> None:
    """Of a server, and of a CA where its public part cannot be read either."""
    for leaf, ca in ((kind, _USUAL), (_USUAL, kind)):
        made = world(leaf, ca)
        taken = check_material(
            certificate=made.fullchain_pem,
            private_key=made.key_pem,
            chain=None,
            ca=made.ca_pem,
            host=HOST,
            ssl_mode=SslMode.VERIFY_FULL,
            now=datetime.now(UTC),
            policy=Policy(),
        )
        named = [one for one in taken.findings if one.cause is Cause.KEY_UNSUPPORTED]
        assert taken.accepted == (not named)
        assert all(said in one.seen for one in named)
        assert named or (leaf, kind) == (_USUAL, "RSA of three primes")
