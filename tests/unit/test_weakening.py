"""A weakening or a move is always notified; over a registration it must name what it replaces."""

from datetime import UTC, datetime
from typing import Any

import pytest

from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.models import Finding
from certifier.run.documents import Change
from certifier.run.ending import Ending
from certifier.run.notice import attention, new_events, notice, notified_from_now_on
from certifier.run.state import Registration, SourceState
from certifier.run.weakening import event_key, lowers_or_moves, weakening
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Outcome, SslMode, Witness
from tests.unit.situations import AT

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"
OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/other-AbCdEf"

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def source(**changes: Any) -> Source:
    spec = {
        "name": "orders",
        "endpoint": "orders-source",
        "host": "db.example.com",
        "ssl_mode": "require",
        "credentials": SECRET,
        "credentials_mode": "inline",
        **changes,
    }
    return parse_source({key: value for key, value in spec.items() if value is not None})


def endpoint(**fields: Any) -> Endpoint:
    had = {"ssl_mode": SslMode.REQUIRE, "server_name": "db.example.com", "port": 5432}
    return Endpoint(
        arn="arn:aws:dms:eu-west-1:123456789012:endpoint:A",
        identifier="orders-source",
        endpoint_type="source",
        engine="postgres",
        status="active",
        fields=EndpointFields.model_validate({**had, "username": "u", **fields}),
    )


def change(field: str, *, reversible: bool = True) -> Change:
    return Change(field=field, old="a", new="b", reversible=reversible)


@pytest.mark.parametrize(
    ("had", "asked", "field", "cause", "words"),
    [
        (
            {"ssl_mode": SslMode.VERIFY_FULL},
            {"allow_downgrade": True},
            "ssl_mode",
            Cause.ENDPOINT_WEAKENED,
            "verify-full becomes require",
        ),
        (
            {"server_name": "old.example.com"},
            {},
            "server_name",
            Cause.ENDPOINT_MOVED,
            "old.example.com:5432 to db.example.com:5432",
        ),
        ({"port": 6432}, {}, "port", Cause.ENDPOINT_MOVED, ":6432 to db.example.com:5432"),
    ],
)
def test_each_says_old_and_new(
    had: dict[str, Any], asked: dict[str, Any], field: str, cause: Cause, words: str
) -> None:
    """What the endpoint has, and what it gets."""
    found = weakening(source(**asked), endpoint(**had), [change(field)], credentials=SECRET)
    assert [each.cause for each in found] == [cause]
    assert words in found[0].seen


@pytest.mark.parametrize(
    ("before", "had", "old"),
    [
        (OTHER, {}, OTHER),
        (None, {"secret_id": OTHER}, OTHER),
        (None, {}, "a login of its own (u)"),
    ],
)
def test_other_credentials_are_named(before: str | None, had: dict[str, Any], old: str) -> None:
    """Also inline, where the endpoint does not show from which secret its login came."""
    found = weakening(source(), endpoint(**had), [change("password")], credentials=before)
    assert [each.cause for each in found] == [Cause.CREDENTIALS_CHANGED]
    assert old in found[0].seen
    assert SECRET in found[0].seen


def test_a_permission_that_is_used_is_named() -> None:
    """One that is only given is not."""
    asked = source(allow_irreversible=True)
    stuck, fine = change("username", reversible=False), change("username")
    found = weakening(asked, endpoint(), [stuck], credentials=SECRET)
    assert [each.cause for each in found] == [Cause.PERMISSION_USED]
    assert weakening(asked, endpoint(), [fine], credentials=SECRET) == ()


def test_a_rotation_is_not_an_event() -> None:
    """The same secret at a new version, a host in other letters, a stronger mode."""
    same = endpoint(server_name="DB.example.com.", ssl_mode=SslMode.NONE)
    changes = [change("password"), change("server_name"), change("ssl_mode"), change("certificate")]
    assert weakening(source(), same, changes, credentials=SECRET) == ()


def test_a_new_endpoint_is_not_an_event() -> None:
    """Nothing is taken from anybody."""
    assert weakening(source(), None, [change("ssl_mode")], credentials=None) == ()


# -- over a registration


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "other.example.com"},
        {"port": 6432},
        {"ssl_mode": "none"},
        {"host": "other.example.com", "ssl_mode": "none", "allow_downgrade": True},
    ],
)
def test_a_move_or_a_downgrade_names_the_version_that_it_replaces(changes: dict[str, Any]) -> None:
    """Whoever means it has read what was there; another version than that is refused too."""
    registered = Registration(known=source(), version=3)
    asked = source(**changes)
    assert any('"replaces": 3' in problem for problem in registered.problems(asked))
    stale = asked.model_copy(update={"replaces": 2})
    assert any("not the registered one" in problem for problem in registered.problems(stale))
    assert registered.problems(asked.model_copy(update={"replaces": 3})) == ()


@pytest.mark.parametrize(
    "changes", [{}, {"host": "DB.example.com."}, {"restart_tasks": True}, {"replaces": 1}]
)
def test_other_edits_need_not(changes: dict[str, Any]) -> None:
    """The same source again, an old ``replaces`` left in its file, another field."""
    assert Registration(known=source(), version=3).problems(source(**changes)) == ()


def test_a_database_named_later_names_the_version_that_it_replaces() -> None:
    """Else one could be left out in one registration, and another one be named in the next."""
    registered = Registration(known=source(), kept=True, version=3)
    asked = source(database="elsewhere")
    (problem,) = registered.problems(asked)
    assert problem.startswith("database: names elsewhere")
    assert '"replaces": 3' in problem
    assert registered.problems(asked.model_copy(update={"replaces": 3})) == ()
    assert Registration(known=source(), version=3).problems(asked) == ()  # no endpoint yet
    left_out = Registration(known=asked, kept=True, version=3)
    assert left_out.problems(source()) == ()  # the endpoint keeps what it has


def test_a_raise_is_not_a_downgrade() -> None:
    """Only what makes it weaker."""
    assert lowers_or_moves(source(ssl_mode="none"), source()) == ()
    assert Registration().problems(source(replaces=1)) == ()


def test_what_it_replaces_is_not_stored() -> None:
    """It is said of one registration, and not part of the source."""
    assert "replaces" not in source(replaces=3).model_dump_json()


# -- each one is notified once


def moved(where: str) -> Finding:
    seen = f"orders-source moves from a to {where}"
    return finding(Cause.ENDPOINT_MOVED, place=Witness.PLAN, seen=seen)


def test_every_move_is_notified_once_however_many_came_before() -> None:
    """By its content, not by its cause; beside it, what lasts is not repeated."""
    lasting = finding(Cause.KEY_TOO_SMALL, place=Witness.PROBE, seen="small")
    state = SourceState(name="orders", notified={"key_too_small": NOW})
    subjects = []
    for version, where in ((1, "b"), (1, "b"), (2, "c"), (3, "b")):
        end = Ending(Outcome.CERTIFIED, (lasting, moved(where)))
        new = new_events(end.findings, state, version)
        needs = attention(end, pending_restarts=(), waiting_since=None, now=NOW)
        sent = notice(AT, end, needs=needs, notified=state.notified, now=NOW, events=new)
        subjects.append(sent and sent.subject)
        keys = tuple(event_key(each, version) for each in new)
        notified = notified_from_now_on(end, needs, state.notified, sent=sent is not None, now=NOW)
        state = state.model_copy(update={"events": (*state.events, *keys), "notified": notified})
    assert subjects == [
        "Certifier eu-west-1: orders certified: endpoint_moved",
        None,
        "Certifier eu-west-1: orders certified: endpoint_moved",
        "Certifier eu-west-1: orders certified: endpoint_moved",
    ]
    assert state.notified == {"key_too_small": NOW}


LONG = "x" * 2000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"database_name": f"{LONG}a"}, {"database_name": f"{LONG}b"}),
        ({"database_name": "or\nders"}, {"database_name": "or\\nders"}),
        ({"secret_id": f"{LONG}a"}, {"secret_id": f"{LONG}b"}),
        ({"username": f"{LONG}a"}, {"username": f"{LONG}b"}),
    ],
)
def test_what_a_finding_has_no_room_for_is_part_of_what_is_notified(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """Two values with one long beginning, or that are shown alike, are two events."""

    def keys(had: dict[str, str]) -> set[str]:
        now = endpoint(**{"database_name": "orders", **had})
        wanted = source(database="elsewhere", credentials=OTHER)
        found = weakening(wanted, now, [change("database_name")], credentials=None)
        assert all(len(each.seen) <= 1024 for each in found)
        return {event_key(each, 1) for each in found}

    assert len(keys(one)) == 2
    assert keys(one) != keys(other)
    assert keys(one) == keys(one)


def test_an_event_that_could_not_be_sent_is_sent_later() -> None:
    """Although the run after it has nothing to say."""
    state = SourceState(name="orders", unsent=(moved("b"),))
    end = Ending(Outcome.CERTIFIED, ())
    new = new_events((), state, 1)
    sent = notice(AT, end, needs=(), notified={}, now=NOW, events=new)
    assert sent is not None
    assert "moves from a to b" in sent.message
