"""A fleet of sources out of one that was certified: the same everywhere, under names of their own.

To certify a source takes half a second of a processor; to begin with a thousand must not take a
thousand times as long. A copy has its own endpoint with its connections, its own certificate in
ACM, and its own items and record, as if it had been certified at the same moment. From then on
nothing tells it from the first: whoever certifies it does all the work.
"""

import copy
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from moto.acm.models import acm_backends

from sandbox.aws import Cloud
from sandbox.dms.world import Endpoint

_DIGITS = 14
"""Of the ARN of an endpoint that was made; see ``certifier.ownership.made_resource``."""


def copy_source(cloud: Cloud, name: str, names: Sequence[str]) -> None:
    """Copy the source ``name``, whose endpoint Certifier made, once for each of ``names``.

    All that is its own bears its name, so that a copy is found by putting another one in its place.
    """
    items = [item for item in cloud.items() if name in json.dumps(item)]
    objects = cloud.objects(f"records/{name}/")
    endpoints = [arn for arn, e in cloud.dms.state.endpoints.items() if name in _identifier(e)]
    certificates = [arn for arn, c in cloud.acm.certificates().items() if name in c.tags.values()]
    table, s3 = cloud.client("dynamodb"), cloud.client("s3")
    for other in names:
        texts = {
            name: other,
            **{arn: _endpoint_arn(arn, other) for arn in endpoints},
            **{arn: _certificate_arn(arn, other) for arn in certificates},
        }
        for arn in endpoints:
            _copy_endpoint(cloud, arn, texts)
        for arn in certificates:
            _copy_certificate(cloud, arn, texts)
        for item in items:
            table.put_item(TableName=cloud.table, Item=_renamed(item, texts))
        for key, body in objects.items():
            renamed = _renamed(body.decode(), texts).encode()
            s3.put_object(Bucket=cloud.bucket, Key=_renamed(key, texts), Body=renamed)


def _identifier(endpoint: Endpoint) -> str:
    return str(endpoint.seen["EndpointIdentifier"])


def _endpoint_arn(arn: str, name: str) -> str:
    """Return an ARN that ends as that of an endpoint which was made for a source."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return arn[:-_DIGITS] + digest[:_DIGITS]


def _certificate_arn(arn: str, name: str) -> str:
    return f"{arn.rpartition('/')[0]}/{uuid.uuid5(uuid.NAMESPACE_DNS, name)}"


def _copy_endpoint(cloud: Cloud, arn: str, texts: Mapping[str, str]) -> None:
    with cloud.dms.lock:
        state = cloud.dms.state
        made = state.endpoints[texts[arn]] = _like(state.endpoints[arn], texts)
        state.tags[texts[arn]] = _renamed(state.tags[arn], texts)
        for (of, instance), connection in [*state.connections.items()]:
            if of == arn:
                like = copy.copy(connection)
                like.endpoint = made
                state.connections[texts[arn], instance] = like


def _like(endpoint: Endpoint, texts: Mapping[str, str]) -> Endpoint:
    like = copy.copy(endpoint)
    for field in ("seen", "settings", "before"):
        setattr(like, field, _renamed(getattr(endpoint, field), texts))
    return like


def _copy_certificate(cloud: Cloud, arn: str, texts: Mapping[str, str]) -> None:
    held = acm_backends[cloud.account][cloud.region]._certificates
    like = held[texts[arn]] = copy.copy(held[arn])
    like.arn = texts[arn]
    like.tags, like.in_use_by = copy.copy(like.tags), []
    like.tags.update(_renamed(dict(like.tags), texts))


def _renamed(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a copy of a value with other texts in it, in keys too."""
    if isinstance(value, str):
        for old, new in texts.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, Mapping):
        return {_renamed(key, texts): _renamed(each, texts) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, texts) for each in value]
    return copy.copy(value)
