"""The estate of the served account: what a team finds that begins with Certifier.

A dozen endpoints of several kinds, made as people make them, before Certifier came; a few sources
that were certified since; and, if asked for, a fleet of them. All PostgreSQL endpoints reach the
one server that runs, each with a database of its own. ``orders`` is not among them: its file is
written, so that the first certification is typed by hand.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from certifier.ownership import SOURCE_TAG
from sandbox.copies import copy_source
from sandbox.pki import Authority
from sandbox.world import CREDENTIALS, NAME, PASSWORD, TRUST_BUCKET, USER, World

PER_INSTANCE = 90
"""Endpoints per replication instance: DMS takes 100, and a canary or two need room."""
_CONSENT = [{"Key": SOURCE_TAG, "Value": "+"}]


@dataclass(frozen=True)
class Row:
    """One endpoint. ``ca`` says which CA its DMS certificate holds, if it has one.

    Attributes:
        certified: registered with Certifier, which is to reach this mode; None: only found.
        tested: whether somebody has tested the connection from the instance.
    """

    name: str
    ssl_mode: str = "require"
    ca: str | None = None
    by_secret: bool = False
    password: str = PASSWORD
    kind: str = "source"
    engine: str = "postgres"
    settings: str | None = None
    certified: str | None = None
    tested: bool = True


ROWS = (
    Row("billing", "verify-full", ca="own", certified="verify-full"),
    Row("customers", "verify-ca", ca="own", by_secret=True, certified="verify-full"),
    Row("ledger", "require", by_secret=True, certified="verify-full"),
    Row("payments", "verify-ca", ca="expiring"),
    Row("crm", "require"),
    Row("inventory", "none"),
    Row("shop", "require", ca="own"),
    Row("reporting", "require", password="a-password-of-old"),
    Row("events", "verify-full", ca="own"),
    Row("warehouse", "require", kind="target"),
    Row("audit", "verify-full", ca="own", settings="iam", tested=False),
    Row("clicks", "require", tested=False),
    Row("legacy-crm", "none", engine="mysql", tested=False),
)
TASK = ("events-to-warehouse", "events-source", "warehouse-target")
SERVERLESS = ("clicks-to-warehouse", "clicks-source", "warehouse-target")


def seed(world: World, sources: int = 0) -> None:
    """Make the estate, and a fleet of so many more sources."""
    world.server.execute(f'CREATE DATABASE "{NAME}"')
    _Estate(world).seed()
    _fleet(world, [f"fleet-{number:03}" for number in range(1, sources + 1)])


class _Estate:
    def __init__(self, world: World) -> None:
        self._world = world
        self._dms = world.cloud.client("dms")
        self._bundle = world.put_bundle("databases/ca.pem", world.authority.certificate_pem)
        self._role = world.cloud.resources["DmsSecretRole"]
        self._secret = world.arn(CREDENTIALS)

    def seed(self) -> None:
        certificates = self._certificates()
        made = {row.name: self._endpoint(row, certificates) for row in ROWS}
        self._world.cloud.clock.advance(minutes=1)  # they become active
        for row in ROWS:
            if row.tested:
                self._dms.test_connection(
                    ReplicationInstanceArn=self._world.instance, EndpointArn=made[row.name]
                )
        self._world.cloud.clock.advance(minutes=1)
        dms = self._world.cloud.dms
        dms.add_task(
            TASK[0],
            source=made["events"],
            target=made["warehouse"],
            instance=self._world.instance,
        )
        dms.add_serverless(SERVERLESS[0], source=made["clicks"], target=made["warehouse"])
        self._world.cloud.run({"sources": [self._source(row) for row in ROWS if row.certified]})

    def _certificates(self) -> Mapping[str, str]:
        """Import the CAs that the endpoints trust, and return their ARNs."""
        soon = self._world.cloud.clock.now() + timedelta(days=20)
        pems = {
            "own": self._world.authority.certificate_pem,
            "expiring": Authority.root("Databases CA of old", not_after=soon).certificate_pem,
        }
        return {
            name: self._dms.import_certificate(
                CertificateIdentifier=f"databases-{name}", CertificatePem=pem.decode()
            )["Certificate"]["CertificateArn"]
            for name, pem in pems.items()
        }

    def _endpoint(self, row: Row, certificates: Mapping[str, str]) -> str:
        fields: dict[str, Any] = {
            "EndpointIdentifier": f"{row.name}-{row.kind}",
            "EndpointType": row.kind,
            "EngineName": row.engine,
            "SslMode": row.ssl_mode,
            "DatabaseName": row.name.replace("-", "_"),
            "Tags": _CONSENT,
        }
        if row.ca:
            fields["CertificateArn"] = certificates[row.ca]
        if row.by_secret:
            fields["PostgreSQLSettings"] = {
                "SecretsManagerSecretId": self._secret,
                "SecretsManagerAccessRoleArn": self._role,
            }
        else:
            fields |= {"ServerName": self._world.host, "Port": self._world.server.port}
            fields |= {"Username": USER, "Password": row.password}
        if row.settings == "iam":
            del fields["Password"]
            fields["PostgreSQLSettings"] = {
                "AuthenticationMethod": "iam",
                "ServiceAccessRoleArn": self._role,
            }
        if row.engine == "postgres":
            self._world.server.execute(f'CREATE DATABASE "{fields["DatabaseName"]}"')
        return str(self._dms.create_endpoint(**fields)["Endpoint"]["EndpointArn"])

    def _source(self, row: Row) -> dict[str, Any]:
        return self._world.source(
            name=row.name,
            endpoint=f"{row.name}-{row.kind}",
            database=row.name.replace("-", "_"),
            ssl_mode=row.certified,
            server_certificate=None,
            ca_bundle=self._bundle,
        )


def _fleet(world: World, names: Sequence[str]) -> None:
    """Onboard a source for each replication instance, with copies of it to fill the instance.

    Their endpoints are made by Certifier. The last one is certified once more, so that the page of
    the fleet shows them all.
    """
    bundle = f"s3://{TRUST_BUCKET}/databases/ca.pem"
    for at in range(0, len(names), PER_INSTANCE):
        first, *others = names[at : at + PER_INSTANCE]
        source = world.source(
            name=first,
            endpoint=f"{first}-source",
            server_certificate=None,
            ca_bundle=bundle,
            replication_instances=[world.cloud.dms.add_instance(f"replication-{first}")],
        )
        world.cloud.run({"sources": [source]})
        copy_source(world.cloud, first, others)
    if names:
        world.cloud.run({"names": [names[-1]]})


def source_file(world: World) -> str:
    """The text of orders.json, the source to begin with."""
    return json.dumps(world.source(database=NAME, restart_tasks=True), indent=2) + "\n"
