"""What the login tells of replication slots: on a primary, on a standby, to a role of no rights."""

from collections.abc import Iterator

import pytest

from certifier.evidence import SlotFacts
from certifier.probe import AddressPolicy, LoginFacts, ProbeRequest, probe
from certifier.vocabulary import Cause, Stage
from sandbox.pki import Authority
from sandbox.postgres import Postgres
from tests.probe.fakes import READY, Fake, authentication, error, message, scripted_login

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_LEAF = _ROOT.issue(dns=[_HOST])
_MEGABYTE = 1_000_000


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The oldest and the newest major, with a logical slot in another database and two physical."""
    with Postgres.start(
        major=request.param,
        tls=_LEAF,
        settings={"wal_level": "logical", "synchronous_commit": "on", "log_statement": "all"},
        users={"reader": "a password"},
        databases=("orders",),
    ) as made:
        logical = "SELECT pg_create_logical_replication_slot('orders_slot', 'pgoutput')"
        made.execute(logical, database="orders")
        made.execute("SELECT pg_create_physical_replication_slot('never_used')")
        made.execute("CREATE TABLE grown AS SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
        yield made


def login(port: int) -> LoginFacts:
    """Log in as a role that has no rights at all, to the database `postgres`."""
    report = probe(
        ProbeRequest(
            _HOST,
            port=port,
            address="127.0.0.1",
            user="reader",
            database="postgres",
            password=lambda: "a password",
            ca_bundle=_ROOT.certificate_pem,
            policy=AddressPolicy.anywhere(),
        )
    )
    assert report.passed, report.findings
    assert report.evidence.connections == 1
    assert report.evidence.login is not None
    return report.evidence.login


def slots(port: int) -> dict[str, SlotFacts]:
    """The slots by name, in the order in which they are shown."""
    return {slot.name: slot for slot in login(port).slots or ()}


def test_a_role_without_rights_sees_the_slots_of_every_database(server: Postgres) -> None:
    """Name, activity, the WAL that is kept and its status; a slot that keeps none comes last."""
    before = len(server.log())
    found = slots(server.port)
    assert list(found) == ["orders_slot", "never_used"]
    kept = found["orders_slot"]
    assert (kept.active, kept.wal_status) == (False, "reserved")
    assert kept.retained_bytes is not None
    assert _MEGABYTE < kept.retained_bytes < 20 * _MEGABYTE
    assert (found["never_used"].retained_bytes, found["never_used"].wal_status) == (None, None)
    asked = server.log()[before:]
    assert asked.count("statement:") == 1, "the slots cost a round trip"


def test_a_standby_counts_from_what_it_has_received(server: Postgres) -> None:
    """`pg_current_wal_lsn` is an error in recovery; the slots are shown all the same."""
    on_primary = slots(server.port)["orders_slot"].retained_bytes or 0
    server.write_file("standby.signal", b"")
    server.restart(settings={"hot_standby": "on", "restore_command": "false"})
    try:
        assert login(server.port).in_recovery is True
        on_standby = slots(server.port)["orders_slot"].retained_bytes or 0
        assert on_primary <= on_standby < on_primary + _MEGABYTE
    finally:
        server.stop()
        (server.data_directory / "standby.signal").unlink()
        server.restart()


def test_where_the_view_was_taken_from_everybody_slots_are_unknown(server: Postgres) -> None:
    """Not seen is not the same as none; the login and all its other facts stand."""
    server.execute("REVOKE SELECT ON pg_replication_slots FROM PUBLIC")
    try:
        found = login(server.port)
    finally:
        server.execute("GRANT SELECT ON pg_replication_slots TO PUBLIC")
    assert found.slots is None
    assert (found.succeeded, found.server_version) == (True, server.server_version)


def test_a_server_without_slots_says_none() -> None:
    """An empty list is an answer."""
    with Postgres.start(tls=_LEAF, users={"reader": "a password"}) as server:
        assert login(server.port).slots == ()


def _rows(*rows: tuple[str | None, ...]) -> bytes:
    """The answer to a query, every column of type text."""
    columns = len(rows[0])
    described = columns.to_bytes(2) + (b"c\0" + bytes(6) + (25).to_bytes(4) + bytes(8)) * columns
    answer = message(b"T", described)
    for row in rows:
        values = b"".join(
            b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4) + value.encode()
            for value in row
        )
        answer += message(b"D", columns.to_bytes(2) + values)
    return answer + message(b"C", b"SELECT 1\0") + READY


_PLAIN = ("on", "16.1", None, "true", "TLSv1.3", "x", None, "false")


@pytest.mark.parametrize("code", ["0A000", "42703", "55000"])
def test_a_server_that_knows_no_such_function_is_asked_for_the_rest(code: str) -> None:
    """Aurora refuses some functions, older servers lack some: no reason to fail a login."""
    refused = error(S="ERROR", V="ERROR", C=code, M="currently not supported") + READY
    answers = (authentication(0) + READY, refused, _rows(_PLAIN))
    with Fake(scripted_login(_LEAF, *answers)) as fake:
        found = login(fake.port)
    assert (found.slots, found.server_version) == (None, "16.1")


def test_any_other_refusal_of_the_query_is_a_refusal() -> None:
    """What has nothing to do with slots is not asked twice."""
    refused = error(S="FATAL", V="FATAL", C="57P01", M="terminating connection") + READY
    answers = (authentication(0) + READY, refused, _rows(_PLAIN))
    with Fake(scripted_login(_LEAF, *answers)) as fake:
        report = probe(
            ProbeRequest(
                _HOST,
                port=fake.port,
                address="127.0.0.1",
                user="reader",
                ca_bundle=_ROOT.certificate_pem,
                policy=AddressPolicy.anywhere(),
            )
        )
    assert report.evidence.login is not None
    assert report.evidence.login.slots is None
    assert report.findings[0].stage is Stage.QUERY
    assert report.findings[0].cause is not Cause.CONNECTION_TIMEOUT


def test_slots_of_a_hostile_server_are_cut_and_made_printable() -> None:
    """At most fifty, no control characters, and invalid numbers are unknown."""
    answered = [(*_PLAIN, f"a\x1b[{number}", "true", "9" * 40, "x" * 5000) for number in range(60)]
    with Fake(scripted_login(_LEAF, authentication(0) + READY, _rows(*answered))) as fake:
        found = login(fake.port).slots
    assert found is not None
    assert len(found) == 50
    assert all(slot.name.isprintable() and slot.retained_bytes is None for slot in found)
    assert all(len(slot.wal_status or "") < 300 for slot in found)
