"""The probe and libpq, asked the same about the same server, say the same.

Each example is one certificate that a real PostgreSQL serves, and a handful of clients; each client
is one probe and three libpq connections (require, verify-ca, verify-full). CERTIFIER_CASES sets how
many comparisons there are; `make fuzz` makes thousands. A disagreement shrinks to the plainest
server and client that still disagree.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from certifier.diagnosis import explain
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, Verdict, probe
from certifier.vocabulary import Cause
from sandbox.postgres import Postgres, PostgresError, available_majors
from tests.probe.cases import Client, Server, World, clients, servers
from tests.probe.reference import MODES, libpq_says

_CLIENTS_PER_SERVER = 4
_COMPARISONS = int(os.environ.get("CERTIFIER_CASES", "2400"))
_asked = st.lists(clients, min_size=_CLIENTS_PER_SERVER - 1, max_size=_CLIENTS_PER_SERVER)
_FUZZING = "CERTIFIER_CASES" in os.environ
_TRUST = ["hostssl all all all trust"]

pytestmark = pytest.mark.timeout(3600 if _FUZZING else 600)

Probe = Callable[[ProbeRequest], ProbeReport]

# What libpq calls "certificate verify failed", without a word on why, or, when it was a signature
# of a certificate or of a list, by the first complaint of the algorithm.
_UNVERIFIED = frozenset(
    {
        Cause.CHAIN_INCOMPLETE,
        Cause.UNKNOWN_AUTHORITY,
        Cause.SELF_SIGNED,
        Cause.CERTIFICATE_EXPIRED,
        Cause.CERTIFICATE_NOT_YET_VALID,
        Cause.CERTIFICATE_REVOKED,
        Cause.CERTIFICATE_WRONG_PURPOSE,
        Cause.CERTIFICATE_WEAK,
        Cause.CERTIFICATE_REJECTED,
        Cause.CERTIFICATE_UNREADABLE,
        Cause.CRL_UNAVAILABLE,
        Cause.SIGNATURE_INVALID,
    }
)
# Where the text is libpq's own, or OpenSSL's only complaint.
_WORD_FOR_WORD = frozenset(
    {Cause.HOSTNAME_MISMATCH, Cause.TLS_NO_SHARED_CIPHER, Cause.TLS_NO_SHARED_PROTOCOL}
)


@pytest.fixture(scope="module", params=available_majors())
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """One server of each major; every TLS version that it can, nobody is asked for a password."""
    material = Server().build()
    with Postgres.start(
        major=request.param,
        tls=material,
        hba=_TRUST,
        settings={"ssl_min_protocol_version": "TLSv1"},
    ) as server:
        yield server


# What libpq says of its options, which the probe has causes for.
_OPTIONS = {
    "invalid SSL protocol version range": Cause.TLS_NO_SHARED_PROTOCOL,
}


class Disagreement(AssertionError):
    """The probe and libpq differ; the text says about what."""


def compare(postgres: Postgres, world: World, client: Client, ask: Probe = probe) -> None:
    """Ask the probe once and libpq three times. Raises Disagreement."""
    ca_bundle, crl = world.ca_file(client.ca), world.crl_file(client.crl)
    try:
        report = ask(
            ProbeRequest(
                client.host,
                port=postgres.port,
                address="127.0.0.1",
                user="postgres",
                database="postgres",
                ca_bundle=ca_bundle,
                crl=crl,
                min_tls=client.min_tls,
                max_tls=client.max_tls,
                policy=AddressPolicy.anywhere(),
            )
        )
    except ValueError:  # a minimum above the maximum, which libpq refuses as well
        report = None
    for mode in MODES:
        said = libpq_says(
            client.host,
            postgres.port,
            mode,
            ca_bundle=ca_bundle,
            crl=crl,
            min_tls=client.min_tls,
            max_tls=client.max_tls,
        )
        verdict = report.verdicts.of(mode) if report else Verdict(passed=False, seen="refused")
        if verdict.passed != said.connected:
            raise Disagreement(f"{mode}: libpq says {said}, the probe {verdict!r}")
        if report is not None and not verdict.passed:
            _compare_causes(verdict, said.text)
    if report is not None and report.passed != report.verdicts.verify_full.passed:
        raise Disagreement(f"the login did not follow the verdict: {report.findings}")


def _compare_causes(verdict: Verdict, text: str) -> None:
    if verdict.cause is Cause.HOST_INVALID:
        return  # the probe does not even dial; libpq may find another reason first
    option = next((cause for part, cause in _OPTIONS.items() if part in text), None)
    read = option or explain(text).cause
    agreed = (
        verdict.cause in _UNVERIFIED
        if read in (Cause.CERTIFICATE_REJECTED, Cause.SIGNATURE_INVALID)
        else (verdict.cause is read)
    )
    if not agreed:
        raise Disagreement(f"libpq's text {text!r} means {read}, the probe says {verdict!r}")
    legible = "\ufffd" not in text  # psycopg puts that for what is not UTF-8
    exact = option is None and verdict.cause in _WORD_FOR_WORD
    if exact and legible and verdict.libpq != text:
        raise Disagreement(f"libpq says {text!r}, the probe predicted {verdict.libpq!r}")


@pytest.fixture(autouse=True)
def _old_versions() -> Iterator[None]:
    """Python warns of TLS 1.0 and 1.1, which are asked for here on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ssl.TLSVersion", DeprecationWarning)
        yield


def _examples(share: int) -> settings:
    return settings(
        max_examples=max(_COMPARISONS // share // (_CLIENTS_PER_SERVER * len(MODES)), 1),
        derandomize=not _FUZZING,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


@_examples(share=len(available_majors()))
@given(server=servers, asked=_asked)
def test_verdicts_and_causes_are_libpqs(
    postgres: Postgres, server: Server, asked: list[Client]
) -> None:
    """For every certificate, CA file, list, host, version and mode, the verdict is libpq's."""
    world = server.build()
    _serve(postgres, world)
    for client in asked:
        note(f"{client}")
        compare(postgres, world, client)


def _serve(postgres: Postgres, world: World) -> None:
    try:
        postgres.use_tls(world)
    except PostgresError:
        assume(False)  # PostgreSQL itself does not take every certificate


def test_the_hint_about_versions_is_libpqs() -> None:
    """With no TLS version in common, libpq says which ones it tried, and so does the probe."""
    world = Server().build()
    older = {"ssl_max_protocol_version": "TLSv1.2"}
    with Postgres.start(tls=world, hba=_TRUST, settings=older) as postgres:
        compare(postgres, world, Client(min_tls="1.3"))


# ---- does it find what is wrong?


def _without_trailing_dot(request: ProbeRequest) -> ProbeReport:
    return probe(replace(request, host=request.host.rstrip(".") or request.host))


def _without_crl(request: ProbeRequest) -> ProbeReport:
    return probe(replace(request, crl=None))


def _tolerant_of_damage(request: ProbeRequest) -> ProbeReport:
    pem, end = request.ca_bundle or b"", b"-----END CERTIFICATE-----\n"
    return probe(replace(request, ca_bundle=pem[: pem.find(end) + len(end)] or pem))


@pytest.mark.parametrize(
    "planted",
    [
        _without_trailing_dot,
        _without_crl,
        _tolerant_of_damage,
    ],
)
def test_a_planted_deviation_is_found(planted: Probe) -> None:
    """A probe that is wrong in one respect does not get through the same comparisons.

    The server is a plain one here, so that it need not be reloaded for every example.
    """
    world = Server().build()
    with Postgres.start(tls=world, hba=_TRUST) as postgres:

        @settings(
            _examples(share=1),
            max_examples=500,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
        @given(client=clients)
        def run(client: Client) -> None:
            compare(postgres, world, client, planted)

        with pytest.raises(Disagreement):
            run()
