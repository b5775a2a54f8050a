"""A certificate may end in any year from 1 to 9999: what is remembered of it can be read again."""

from datetime import UTC, datetime

import pytest

from certifier.aws.store import Store
from certifier.aws.store.items import stamp
from certifier.certificate import certificate_facts
from tests.aws.test_store import NOW, RUN, a_source, alive, recording
from tests.probe.hostile import _with
from tests.probe.mutate import tlv


def ending_in(year: int) -> bytes:
    """Return a certificate (DER) that ends in that year, as a server may serve it."""
    begins = tlv(0x18, b"00010101000000Z")
    return _with(4, tlv(0x30, begins + tlv(0x18, b"%04d0101000000Z" % year)))


@pytest.mark.parametrize("year", [1, 99, 999, 1000, 9999])
def test_a_source_stays_readable_whatever_its_server_serves(store: Store, year: int) -> None:
    """One date that is not written as it is read would keep the source from ever running again."""
    ends = certificate_facts(ending_in(year)).not_after
    assert ends == datetime(year, 1, 1, tzinfo=UTC)
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    kept = {"expires_at": ends, "expires": "served certificate CN=x"}
    store.hold("orders", RUN).record(recording(state=kept), breaker_limit=3)
    state = store.state("orders")
    assert state is not None
    assert state.expires_at == ends


def test_a_stamp_sorts_as_text() -> None:
    """Whatever the year."""
    stamps = [stamp(datetime(year, 1, 1, tzinfo=UTC)) for year in (1, 99, 999, 2026, 9999)]
    assert stamps == sorted(stamps)
    assert {len(each) for each in stamps} == {len("2026-01-01T00:00:00Z")}
