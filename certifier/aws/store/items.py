"""The items: their keys, and how values are packed into them and read from them."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from certifier.errors import Unreadable
from certifier.models import Fact, Finding
from certifier.run.kept import given
from certifier.run.state import Pause, SourceState
from certifier.source import InvalidSource, Source, parse_source
from certifier.source_values import is_name
from certifier.text import quoted
from certifier.vocabulary import Outcome

DUE = "due"
"""The partition of the sparse index for most sources."""
FIRST = "first"
"""The partition for those with something to finish: they come before all others.

A claim whose run may have died, an undo log, a task that waits for a restart.
"""
UNREADABLE = "unreadable"
"""The attribute of a STATE that says why this version cannot run its source."""
RESCUE = timedelta(minutes=10)
"""When a claimed source is due again if its run dies."""
RACES = 5
"""How often a conditional write that lost a race is decided anew."""

BREAKER = {"pk": "BREAKER", "sk": "STATE"}
TIDY = {"pk": "TIDY", "sk": "DAY"}


def stamp(when: datetime) -> str:
    """Return an instant as the table holds it: UTC, whole seconds, ``Z``; sorts as text.

    Not by ``strftime``, which writes the year 999 with three digits: a certificate may end then.
    """
    return f"{when.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


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
    """Return the condition, as ``Table`` takes it, that no source but ``name`` has an endpoint.

    An OWNER that names nobody has it for nobody (``owner_of``).
    """
    nobodys = "attribute_not_exists(#s) OR NOT attribute_type(#s, :text)"
    return f"{nobodys} OR #s = :name", {":name": name, ":text": "S"}, {"#s": "source"}


def owner_of(item: Mapping[str, Any]) -> str | None:
    """Return the source that an OWNER names; ``None``: nobody, whatever else lies in it.

    What no source can be called is shown as it may be shown, and keeps the endpoint all the same.
    """
    owner = item.get("source")
    if not isinstance(owner, str):
        return None
    return owner if is_name(owner) else quoted(owner, 60)


def since_of(item: Mapping[str, Any]) -> datetime | None:
    """Return since when a certificate is unused, by its UNUSED; ``None`` if that is not a stamp."""
    since = item.get("since")
    try:
        when = datetime.fromisoformat(since) if isinstance(since, str) else None
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None and stamp(when) == since else None


def plain(value: Any) -> Any:
    """Return ``value`` as the table holds it; instants as text that sorts."""
    match value:
        case datetime():
            return stamp(value)
        case Fact():
            return plain(given(value))
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

    So is a finding that only a later version has: the next run says what it finds itself.

    Raises:
        Unreadable: a value in it is not one of ours, or it names another source.
    """
    known = {key: value for key, value in item.items() if key in SourceState.model_fields}
    for kind in _OF_FINDINGS & known.keys():
        known[kind] = _known_findings(known[kind])
    try:
        state = SourceState.model_validate_json(json.dumps(known, default=_json))
    except (ValueError, TypeError, RecursionError):  # a ValidationError is a ValueError
        raise Unreadable(f"STATE of {name_of(item)}") from None
    if state.name != name_of(item):
        raise Unreadable(f"STATE of {name_of(item)}")
    return state


_OF_FINDINGS = frozenset({"findings", "unsent"})


def _known_findings(found: Any) -> Any:
    """Return those of several findings that this version has."""
    return [each for each in found if _is_finding(each)] if isinstance(found, list) else found


def _is_finding(value: Any) -> bool:
    try:
        Finding.model_validate_json(json.dumps(value, default=_json))
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def name_of(item: Mapping[str, Any]) -> str:
    """Return the name of the source that an item is about, by its key."""
    return str(item["pk"]).partition("#")[2]


def spec_of(item: Mapping[str, Any]) -> Source:
    """Return the source that a SPEC item holds.

    Raises:
        Unreadable: an older version of Certifier took the spec, and this one does not.
    """
    try:
        source = parse_source(json.loads(item["spec"]))
    except (InvalidSource, KeyError, ValueError, TypeError, RecursionError):
        raise Unreadable(f"SPEC of {name_of(item)}") from None
    if source.name != name_of(item):
        raise Unreadable(f"SPEC of {name_of(item)}")
    return source


def registered_of(item: Mapping[str, Any]) -> tuple[Source, int]:
    """Return the source that a SPEC item holds, and its version.

    Raises:
        Unreadable: as :func:`spec_of`, or there is no version.
    """
    source, version = spec_of(item), version_of(item)
    if not version:
        raise Unreadable(f"SPEC of {name_of(item)}")
    return source, version


def version_of(item: Mapping[str, Any]) -> int:
    """Return the version of an item, from 1 to ``_LAST``; 0 when it has none.

    Of a fraction, which nobody of ours has written, the whole part.
    """
    version = item.get("version")
    if not isinstance(version, Decimal) or not 1 <= version < _LAST + 1:
        return 0
    return int(version)


_LAST = 10**15
"""The last version: what is larger was not counted by us, and could not be counted on."""


def unchanged(version: int) -> tuple[str, dict[str, Any]]:
    """Return the condition, as ``Table`` takes it, that an item has the version that was read.

    0: no version, or what is none, or the item is not there. So whatever lies there can be replaced
    by who has read it.
    """
    if version:
        return "version >= :seen AND version < :next", {":seen": version, ":next": version + 1}
    return (
        "attribute_not_exists(version) OR NOT attribute_type(version, :number) "
        "OR version < :one OR version >= :end",
        {":number": "N", ":one": 1, ":end": _LAST + 1},
    )


def pause_of(item: Mapping[str, Any]) -> Pause:
    """Return what a PAUSE item holds.

    Raises:
        Unreadable: a value in it is not one of ours.
    """
    try:
        return Pause(
            task_arn=item["sk"],
            sources=tuple(sorted(_several(item.get("sources", ())))),
            turn=whole(item, "turn"),
            stop_taken=item.get("stop_taken"),
            retained={slot: int(count) for slot, count in item.get("retained", {}).items()},
            **{
                key: datetime.fromisoformat(item[key])
                for key in ("since", "stop_date", "started_at")
                if key in item
            },
            starts=whole(item, "starts"),
            endpoints=tuple(_several(item.get("endpoints", ()))),
            identifier=item.get("identifier"),
        )
    except (AttributeError, ArithmeticError, TypeError, ValueError):  # pydantic's are ValueErrors
        raise Unreadable(f"PAUSE of {item['sk']}") from None


def whole(item: Mapping[str, Any], key: str) -> int:
    """Return a count of an item; 0 when it has none.

    Raises:
        ValueError: it is not a count.
    """
    count = item.get(key, Decimal(0))
    if not isinstance(count, Decimal) or not 0 <= count < _LAST or count % 1:
        raise ValueError(key)
    return int(count)


def names_in(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the sources that a PAUSE names, as far as they can be read, for all else in it."""
    sources = item.get("sources")
    if not isinstance(sources, set | list):
        return frozenset()
    return frozenset(name for name in sources if isinstance(name, str))


def _several(value: Any) -> Collection[Any]:
    """Return several values; one text is not several letters.

    Raises:
        TypeError: it is not several.
    """
    if not isinstance(value, set | list | tuple):
        raise TypeError
    return value


def _json(value: object) -> object:
    """Return what JSON has no word for: DynamoDB's numbers and sets."""
    return sorted(value) if isinstance(value, set) else int(str(value))
