"""The items: their keys, and how values are packed into them and read from them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from certifier.errors import Unexpected
from certifier.models import Fact
from certifier.run.state import Pause, SourceState
from certifier.source import InvalidSource, Source, parse_source
from certifier.vocabulary import Outcome

DUE = "due"
"""The partition of the sparse index for most sources."""
FIRST = "first"
"""The partition for those with something to finish: they come before all others.

A claim whose run may have died, an undo log, a task that waits for a restart.
"""
UNREADABLE = "unreadable"
"""The attribute of a STATE that says why this version cannot run its source."""
RACES = 5
"""How often a conditional write that lost a race is decided anew."""

BREAKER = {"pk": "BREAKER", "sk": "STATE"}
TIDY = {"pk": "TIDY", "sk": "DAY"}


def stamp(when: datetime) -> str:
    """Return an instant as the table holds it: UTC, whole seconds, ``Z``; sorts as text."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_key(name: str, kind: str) -> dict[str, str]:
    """Return the key of one of a source's items: ``SPEC``, ``STATE`` or ``UNDO``.

    Each kind has partitions of its own: who may write is decided by partition, and most steps
    write STATE alone.
    """
    return {"pk": f"{'SOURCE' if kind == 'STATE' else kind}#{name}", "sk": kind}


def owner_key(endpoint: str) -> dict[str, str]:
    """Return the key under which an endpoint, by identifier or ARN, has its source."""
    return {"pk": f"ENDPOINT#{endpoint.lower()}", "sk": "OWNER"}


def pause_key(task: str) -> dict[str, str]:
    """Return the key of the pause of a task."""
    return {"pk": "PAUSE", "sk": task}


def unused_key(digest: str) -> dict[str, str]:
    """Return the key under which it is noted since when nobody uses a DMS certificate."""
    return {"pk": "UNUSED", "sk": digest}


def unless_taken(name: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return the condition, as ``Table`` takes it, that no source but ``name`` has an endpoint."""
    return "attribute_not_exists(pk) OR #s = :name", {":name": name}, {"#s": "source"}


def plain(value: Any) -> Any:
    """Return ``value`` as the table holds it; instants as text that sorts."""
    match value:
        case datetime():
            return stamp(value)
        case Fact():
            return plain(dict(value))
        case Mapping():
            return {key: plain(item) for key, item in value.items() if item is not None}
        case tuple() | list():
            return [plain(item) for item in value]
        case Outcome():
            return value.value
        case str():
            return str(value)
        case _:
            return value


def state_of(item: Mapping[str, Any]) -> SourceState:
    """Return what a STATE item holds; what another version has left there is passed over.

    Raises:
        Unexpected: a value in it is not one of ours.
    """
    known = {key: value for key, value in item.items() if key in SourceState.model_fields}
    try:
        state = SourceState.model_validate_json(json.dumps(known, default=_json))
    except (ValueError, TypeError, RecursionError):  # a ValidationError is a ValueError
        raise Unexpected(f"STATE of {item['pk']}") from None
    if state.name != name_of(item):
        raise Unexpected(f"STATE of {item['pk']}: it names another source")
    return state


def name_of(item: Mapping[str, Any]) -> str:
    """Return the name of the source that an item is about, by its key."""
    return str(item["pk"]).partition("#")[2]


def spec_of(item: Mapping[str, Any]) -> Source:
    """Return the source that a SPEC item holds.

    Raises:
        Unexpected: an older version of Certifier took the spec, and this one does not.
    """
    try:
        source = parse_source(json.loads(item["spec"]))
    except InvalidSource as error:
        # A spec that an older version took and this one does not: only an edit can repair that.
        raise Unexpected(f"SPEC of {item['pk']}: {error}") from None
    except (KeyError, ValueError, TypeError, RecursionError):
        raise Unexpected(f"SPEC of {item['pk']}: it is not JSON") from None
    if source.name != name_of(item):
        raise Unexpected(f"SPEC of {item['pk']}: it is of another source")
    return source


def registered_of(item: Mapping[str, Any]) -> tuple[Source, int]:
    """Return the source that a SPEC item holds, and its version.

    Raises:
        Unexpected: as :func:`spec_of`, or there is no version.
    """
    source, version = spec_of(item), item.get("version")
    if not isinstance(version, Decimal):
        raise Unexpected(f"SPEC of {item['pk']}: it has no version")
    return source, int(version)


def pause_of(item: Mapping[str, Any]) -> Pause:
    """Return what a PAUSE item holds.

    Raises:
        Unexpected: a value in it is not one of ours.
    """
    try:
        return Pause(
            task_arn=item["sk"],
            sources=tuple(sorted(item.get("sources", ()))),
            turn=int(item.get("turn", 0)),
            stop_taken=item.get("stop_taken"),
            retained={slot: int(count) for slot, count in item.get("retained", {}).items()},
            **{
                key: datetime.fromisoformat(item[key])
                for key in ("since", "stop_date", "started_at")
                if key in item
            },
            starts=int(item.get("starts", 0)),
            endpoints=tuple(item.get("endpoints", ())),
        )
    except (AttributeError, TypeError, ValueError):  # pydantic's errors are ValueErrors, too
        raise Unexpected(f"PAUSE of {item['sk']}") from None


def _json(value: object) -> object:
    """Return what JSON has no word for: DynamoDB's numbers and sets."""
    return sorted(value) if isinstance(value, set) else int(str(value))
