"""The intake refuses nothing that libpq accepts.

The other way round it may: what it does not check (weak signatures, name constraints, critical
extensions, revocation) is left to the probe, and a CA file that it repairs reaches DMS repaired.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings

from certifier.certificate import check_material
from certifier.models import Policy, errors_in
from certifier.vocabulary import SslMode
from sandbox.postgres import Postgres, PostgresError
from tests.probe.cases import Client, Server, World, clients, servers
from tests.probe.reference import libpq_says

pytestmark = pytest.mark.filterwarnings("ignore")
MODES = (SslMode.VERIFY_CA, SslMode.VERIFY_FULL)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server that asks nobody for a password."""
    with Postgres.start(tls=Server().build(), hba=["hostssl all all all trust"]) as server:
        yield server


def refusals(postgres: Postgres, world: World, client: Client) -> Iterator[str]:
    """Yield why the intake refuses what libpq connects with."""
    ca = world.ca_file(client.ca)
    for mode in MODES if ca is not None else ():
        taken = check_material(
            certificate=world.fullchain_pem,
            private_key=world.key_pem,
            chain=None,
            ca=ca,
            host=client.host,
            ssl_mode=mode,
            now=datetime.now(UTC),
            policy=Policy(),
        )
        if taken.accepted:
            continue
        if libpq_says(client.host, postgres.port, mode, ca_bundle=ca).connected:
            errors = errors_in(taken.findings)
            yield f"{mode.value}: " + "; ".join(f"{one.cause.value}, {one.seen}" for one in errors)


def test_the_intake_refuses_nothing_that_libpq_accepts(postgres: Postgres) -> None:
    """Of any certificate, CA file and host, a refusal by the intake is one by libpq as well."""

    @settings(
        max_examples=60,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(servers, clients, clients, clients)
    def agrees(server: Server, one: Client, two: Client, three: Client) -> None:
        world = server.build()
        try:
            postgres.use_tls(world)
        except PostgresError:
            assume(False)
        for client in (one, two, three):
            note(f"{client}")
            assert list(refusals(postgres, world, client)) == []

    agrees()
