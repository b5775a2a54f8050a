"""What DMS says of an endpoint, its connections and its tasks. Frozen values that know no AWS."""

import hashlib
import json
from datetime import datetime
from typing import Any

from certifier.models import Fact
from certifier.vocabulary import SslMode


class EndpointFields(Fact):
    """The fields of a DMS endpoint that Certifier may write. ``None``: not set, or not said."""

    ssl_mode: SslMode | None = None
    certificate_arn: str | None = None
    server_name: str | None = None
    port: int | None = None
    database_name: str | None = None
    username: str | None = None
    secret_id: str | None = None
    secret_role_arn: str | None = None

    def given(self) -> dict[str, Any]:
        """Return the fields that are set, by name."""
        return {name: value for name, value in self if value is not None}


class Endpoint(Fact):
    """A DMS endpoint for PostgreSQL, as DescribeEndpoints describes it.

    Attributes:
        endpoint_type: ``source`` or ``target`` (DMS answers in upper case).
        authentication: ``password`` or ``iam``.
        rest_digest: SHA-256 over everything else that was described (extra connection attributes,
            scripts, other settings), which may hold secrets and is only ever compared.
    """

    arn: str
    identifier: str
    endpoint_type: str
    engine: str
    status: str
    fields: EndpointFields
    authentication: str = "password"
    read_only: bool = False
    rest_digest: str = ""

    @property
    def settings_digest(self) -> str:
        """SHA-256 over all that was described but the status: equal means nothing has changed."""
        described = self.model_dump(mode="json", exclude={"status"})
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


class DmsCertificate(Fact):
    """A certificate in DMS, which is a bundle of CAs; ``digest`` is that of ``bundle_digest``."""

    arn: str
    identifier: str
    pem: str
    digest: str


class DataProvider(Fact):
    """A data provider of DMS: what a migration project connects with, without an endpoint.

    ``ssl_mode`` is only said of PostgreSQL; every engine may hold a DMS certificate.
    """

    arn: str
    name: str
    engine: str
    host: str | None = None
    port: int | None = None
    ssl_mode: SslMode | None = None
    certificate_arn: str | None = None


class ReplicationConfig(Fact):
    """A serverless replication: which endpoints it connects."""

    arn: str
    identifier: str
    source_endpoint_arn: str
    target_endpoint_arn: str

    @property
    def endpoint_arns(self) -> tuple[str, ...]:
        """Its endpoints, the source first; one that is both is named once."""
        return tuple(dict.fromkeys((self.source_endpoint_arn, self.target_endpoint_arn)))


class Connection(Fact):
    """What DMS shows of the last test of one endpoint from one replication instance.

    ``status``: ``testing``, ``successful``, ``failed``, ``deleting``; ``message`` only when failed.
    ``instance``: what people call the instance, if DMS says so.
    """

    endpoint_arn: str
    instance_arn: str
    status: str
    message: str | None = None
    instance: str | None = None


class ReplicationTask(Fact):
    """A DMS task. ``status`` is DMS's word (aws-facts: moving, running, stopped, ...).

    ``full_load`` says that a full load is under way in a running task: progress under 100 % in a
    migration type that loads, or tables that are being loaded again. ``start_date`` and
    ``stop_date`` are when DMS says that it was last started (afresh or again), and last stopped.
    """

    arn: str
    identifier: str
    status: str
    source_endpoint_arn: str
    target_endpoint_arn: str
    instance_arn: str
    migration_type: str
    full_load: bool = False
    start_date: datetime | None = None
    stop_reason: str | None = None
    stop_date: datetime | None = None
    message: str | None = None

    def other_endpoint(self, arn: str) -> str:
        """Return the ARN of the endpoint at the task's other end."""
        return (
            self.target_endpoint_arn
            if self.source_endpoint_arn == arn
            else self.source_endpoint_arn
        )
