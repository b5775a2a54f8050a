"""When a disturbed story has joined the undisturbed one again.

A state of an execution is *like* another one when it has the same name and the same variables, and
when table, bucket, DMS and ACM hold the same: all that the rest of the story depends on, but for
the time on the clock and the number of rounds that a loop has left. Most faults are gone at once:
the step is called again, and from then on nothing is different.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from sandbox.aws.machine import Where
from sandbox.world import World

_VARIES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"  # instants
    r"|\d{8}T\d{6}Z"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # executions
    r"|\b\d+\.\d+(e-?\d+)?\b"  # seconds
    r'|(plaintext_sessions|retained_bytes)\\*": ?(\d+|null)'  # who else is on the server just now
)
_ROUND = "_round"


def likeness(world: World, where: Where) -> str:
    """Return a digest of a state of the story, equal for states that are alike."""
    variables = {k: v for k, v in where.variables.items() if not k.endswith(_ROUND)}
    whole = [
        _text([where.state, variables, _dms(world), _acm(world)]),
        *sorted(map(_text, _table(world))),
        *sorted(map(_text, _bucket(world))),
    ]
    return hashlib.sha256("\n".join(whole).encode()).hexdigest()


def _text(value: Any) -> str:
    return _VARIES.sub("…", json.dumps(value, sort_keys=True, default=_plain))


def _table(world: World) -> Iterator[Any]:
    """Every item, read without a call: that would take longer than all the rest.

    How earlier runs ended is for people, like their records: no step decides by it.
    """
    cloud = world.cloud
    for item in dynamodb_backends[cloud.account][cloud.region].tables[cloud.table].all_items():
        plain = item.to_json()
        plain["Attributes"].pop("history", None)
        yield plain


def _bucket(world: World) -> Iterator[tuple[str, str]]:
    """What the steps of all runs have written for each other; records are for people."""
    keys = s3_backends[world.cloud.account]["aws"].buckets[world.cloud.bucket].keys
    for name, key in keys.items():
        if not str(name).startswith(("records/", "reports/")):
            yield str(name), key.value.decode(errors="replace")


def _dms(world: World) -> Mapping[str, Any]:
    state = world.cloud.dms.state
    return {
        "endpoints": [[one.seen, one.settings, one.password] for one in state.endpoints.values()],
        "certificates": [one.seen["CertificateIdentifier"] for one in state.certificates.values()],
        "connections": [
            [pair, one.status, one.revision == one.endpoint.revision, one.test is None]
            for pair, one in state.connections.items()
        ],
        "tasks": [one.seen for one in state.tasks.values()],
        "tags": state.tags,
    }


def _acm(world: World) -> list[Any]:
    return [
        [arn, hashlib.sha256(one.cert).hexdigest(), dict(one.tags.items())]
        for arn, one in world.cloud.acm.certificates().items()
    ]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
