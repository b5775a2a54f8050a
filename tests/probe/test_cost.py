"""Whatever a server does, a probe of it costs little, ends with a cause, and raises nothing."""

from collections.abc import Iterator

import pytest

from certifier.vocabulary import Cause
from tests.probe.cost import MEMORY, PROCESSOR, Meter
from tests.probe.fakes import Fake
from tests.probe.hostile import ROOT, Hostile, hostile_servers


@pytest.fixture(scope="module")
def meter() -> Iterator[Meter]:
    """A process that measures."""
    with Meter() as one:
        yield one


@pytest.mark.parametrize("server", list(hostile_servers()), ids=lambda server: server.name)
def test_a_hostile_server_costs_little(meter: Meter, server: Hostile) -> None:
    """Half a second of processor time and 64 MiB are the most that any server gets."""
    with Fake(server.script) as fake:
        cost = meter.probe(fake.port, ca=ROOT.certificate_pem, **server.asked)
    assert cost.ended in {"pass", *Cause}
    assert cost.processor < PROCESSOR
    assert cost.memory < MEMORY


def test_what_is_costly_is_measured(meter: Meter) -> None:
    """A CA file of 4,000 certificates, which is our own doing, shows up in time and memory."""
    server = next(iter(hostile_servers()))
    with Fake(server.script) as fake:
        usual = meter.probe(fake.port, ca=ROOT.certificate_pem)
        costly = meter.probe(fake.port, ca=ROOT.certificate_pem * 4_000)
    assert costly.processor > 3 * usual.processor
    assert costly.memory > usual.memory + 1024 * 1024
