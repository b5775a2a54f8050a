"""When an old CA may go: what the nodes of a name must have shown, and for how long."""

from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from certifier.certificate import bundle_digest, certificates_in, union
from certifier.probe import AddressPolicy, ProbeRequest
from certifier.run.documents import Material, NodeLook, Probed, Trusted
from certifier.run.shrink import (
    MANY,
    REMEMBERED,
    droppable,
    dropped,
    new_chain,
    why_not_dropped,
    with_dropped,
)
from certifier.run.state import DroppedAnchor, NewChain
from certifier.source import InvalidSource, Source, parse_source
from certifier.source_values import node_of
from certifier.steps.node_looks import look_at_nodes
from sandbox.pki import Authority

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@cache
def ca(name: str) -> str:
    root = Authority.root(name, not_before=NOW - 300 * DAY, not_after=NOW + 3000 * DAY)
    return root.certificate_pem.decode()


def source(**changes: Any) -> Source:
    whole = {
        "name": "orders",
        "endpoint": "orders-source",
        "host": "orders.db.example.com",
        "ssl_mode": "verify-full",
        "ca_bundle": "s3://platform-trust/ca.pem",
        **changes,
    }
    return parse_source(whole)


def material(trusted: str, bundle: str = "new") -> Material:
    pem = union(*map(ca, trusted.split()))
    return Material(
        bundle_pem=ca(bundle),
        bundle_digest=bundle_digest(ca(bundle)),
        trusted=Trusted(arn="arn:old", digest=bundle_digest(pem), pem=pem),
    )


def node(number: int = 1, *, reached: bool = True, needs_old: bool = False) -> NodeLook:
    return NodeLook(node=f"10.0.0.{number}:5432", reached=reached, needs_old=needs_old, seen="x")


class Looked:
    """What a probe saw, as far as it matters here."""

    def __init__(self, *nodes: NodeLook, seen: bool = True, by_bundle: bool = True) -> None:
        self.nodes = nodes
        self.served = SimpleNamespace(seen=seen, by_bundle=by_bundle, by_union=not by_bundle)


def looked(*nodes: NodeLook, **served: bool) -> Probed:
    seen: Any = Looked(*nodes, **served)
    return seen  # type: ignore[no-any-return]


def since(*looks: tuple[timedelta, Probed], **changes: Any) -> NewChain | None:
    """Return what several looks leave, one after the other."""
    found = None
    for after, probed in looks:
        found = new_chain(source(**changes), material("old new"), probed, found, NOW + after)
    return found


def why(probed: Probed, before: NewChain | None, now: datetime = NOW, hours: int = 24) -> str:
    after = timedelta(hours=hours)
    return (
        why_not_dropped(source(), material("old new"), probed, before, now=now, after=after) or ""
    )


ALL = looked(node(1), node(2))
ONE_DOWN = looked(node(1), node(2, reached=False))
ONE_OLD = looked(node(1), node(2, needs_old=True))
NOTHING = looked(seen=False, by_bundle=False)
OLD = looked(by_bundle=False)


def test_the_time_begins_with_the_first_look_at_all_of_them() -> None:
    """One that reached only some does not begin it."""
    assert since((0 * HOUR, ONE_DOWN), (HOUR, ALL), (2 * HOUR, ALL)) == since((HOUR, ALL))
    assert since((0 * HOUR, ONE_DOWN)) is None


@pytest.mark.parametrize("proves_nothing", [ONE_DOWN, NOTHING])
def test_a_look_that_proves_nothing_does_not_end_the_time(proves_nothing: Probed) -> None:
    """But nothing goes by it either."""
    begun = since((0 * HOUR, ALL))
    assert since((0 * HOUR, ALL), (HOUR, proves_nothing)) == begun
    if proves_nothing.served.seen:
        assert "10.0.0.2" in why(proves_nothing, begun, NOW + 2 * DAY)


@pytest.mark.parametrize("needs_it", [ONE_OLD, OLD])
def test_a_node_that_needs_the_old_ca_ends_the_time(needs_it: Probed) -> None:
    """It begins anew once that one has changed."""
    assert since((0 * HOUR, ALL), (HOUR, needs_it)) is None
    assert since((0 * HOUR, ALL), (HOUR, needs_it), (2 * HOUR, ALL)) == since((2 * HOUR, ALL))


def test_another_bundle_or_node_begins_the_time_anew() -> None:
    """What was looked at for a day says nothing of those."""
    begun = since((0 * HOUR, ALL))
    other = source(nodes=["10.0.0.9"])
    assert new_chain(other, material("old new"), ALL, begun, NOW + DAY) != begun
    assert new_chain(source(), material("old new", "newer"), ALL, begun, NOW + DAY) != begun


def test_an_old_ca_goes_when_the_time_is_over() -> None:
    """Not a moment earlier, and not by a look at some of the nodes."""
    begun = since((0 * HOUR, ALL))
    assert "until 2026-11-21 12:00 UTC" in why(ALL, begun, NOW + 23 * HOUR)
    assert why(ALL, begun, NOW + DAY) == ""
    assert "10.0.0.2" in why(ONE_DOWN, begun, NOW + DAY)
    assert "10.0.0.2" in why(ONE_OLD, begun, NOW + DAY)


def test_without_a_time_one_look_at_all_nodes_is_enough() -> None:
    assert why(ALL, None, hours=0) == ""
    assert why(ONE_OLD, None, hours=0)


@pytest.mark.parametrize(
    ("trusted", "bundle", "may_go"),
    [("old", "new", True), ("old new", "new", True), ("new", "new", False), ("new", "both", False)],
)
def test_only_what_the_bundle_does_not_hold_can_be_dropped(
    trusted: str, bundle: str, may_go: bool
) -> None:
    """A bundle that has only grown drops nothing, though its digest differs."""
    found = material(trusted)
    if bundle == "both":
        found = found.model_copy(update={"bundle_pem": union(ca("old"), ca("new"))})
    assert droppable(source(), found) is may_go


def test_there_is_nothing_to_wait_for_without_an_old_ca() -> None:
    """Nor where the source forbids overlap."""
    assert new_chain(source(), material("new"), ALL, None, NOW) is None
    none = source(ca_overlap=False)
    assert why_not_dropped(none, material("old"), ALL, None, now=NOW, after=DAY) is None


# ------------------------------------------------------------------ what was dropped


def gone(trusted: str, *, before: Any = None, now: datetime = NOW, **changes: Any) -> set[str]:
    """Return the names of what is remembered when the endpoint trusts ``new`` alone."""
    kept = dropped(
        source(**changes),
        material(trusted),
        ALL,
        trusts=ca("new"),
        before=before or {},
        now=now,
    )
    return {
        name for name in ("old", "older", "new") for one in kept.values() if one.pem == ca(name)
    }


def remembered(name: str, at: datetime, host: str = "orders.db.example.com") -> Any:
    return {name: DroppedAnchor(pem=ca(name), at=at, host=host)}


def test_what_was_dropped_is_remembered_for_a_month() -> None:
    """Not for another host, and not where the source forbids overlap."""
    assert gone("old new") == {"old"}
    assert gone("old new", ca_overlap=False) == set()
    older = remembered("older", NOW)
    assert gone("new", before=older, now=NOW + REMEMBERED - HOUR) == {"older"}
    assert gone("new", before=older, now=NOW + REMEMBERED) == set()
    assert gone("new", before=remembered("older", NOW, "other.example.com")) == set()


def test_no_more_than_some_are_remembered() -> None:
    """An endpoint that trusted every public CA leaves the newest."""
    many = {str(n): DroppedAnchor(pem=ca(f"n{n}"), at=NOW - n * HOUR, host=source().host)
            for n in range(MANY + 3)}  # fmt: skip
    kept = dropped(source(), material("new"), ALL, trusts=ca("new"), before=many, now=NOW)
    assert set(kept) == {str(n) for n in range(MANY)}


def test_what_comes_back_is_trusted_beside_the_bundle() -> None:
    both = with_dropped(source(), material("new"), remembered("old", NOW), NOW)
    assert both is not None
    assert set(certificates_in(both)) == set(certificates_in(union(ca("old"), ca("new"))))
    assert with_dropped(source(), material("new"), {}, NOW) is None
    off = source(ca_overlap=False)
    assert with_dropped(off, material("new"), remembered("old", NOW), NOW) is None


# ------------------------------------------------------------------ nodes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("db1.example.com", ("db1.example.com", 5432)),
        ("db1.example.com:6432", ("db1.example.com", 6432)),
        ("10.0.0.7:6432", ("10.0.0.7", 6432)),
        ("2001:db8::7", ("2001:db8::7", 5432)),
        ("[2001:db8::7]:6432", ("2001:db8::7", 6432)),
        ("[2001:db8::7]", ("2001:db8::7", 5432)),
    ],
)
def test_a_node_is_a_host_with_or_without_a_port(written: str, meant: tuple[str, int]) -> None:
    assert source(nodes=[written]).nodes == (written,)
    assert node_of(written, 5432) == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "db1:",
        "db1:0",
        "db1:65536",
        "db1:x",
        "a b",
        "postgres://db1",
        "[10.0.0.1",
        "db/1",
        ":5",
        "[::1]5",
    ],
)
def test_what_is_not_a_node_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidSource, match="nodes"):
        source(nodes=[wrong])


def test_a_node_is_only_looked_at_where_the_probe_may_go() -> None:
    """The metadata service is refused by its address, whatever the name before it."""
    request = ProbeRequest(host=source().host, policy=AddressPolicy(), ca_bundle=ca("new").encode())

    def metadata(_: str, port: int, **__: Any) -> Any:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    (look,) = look_at_nodes(source(nodes=["db1.example.com"]), request, (), metadata)
    assert not look.reached
    assert "link-local" in look.seen


def test_dropped_cas_leave_room_in_the_item_of_their_source() -> None:
    """DynamoDB takes 400 KB: of CAs with long names the newest are remembered."""
    many = {
        f"{number:064x}": DroppedAnchor(
            pem=" " * 40_000, at=NOW - number * HOUR, host="orders.db.example.com"
        )
        for number in range(MANY)
    }
    kept = dropped(source(), material("new"), ALL, trusts=ca("new"), before=many, now=NOW)
    assert list(kept) == [f"{1:064x}", f"{0:064x}"]
