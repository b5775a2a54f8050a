"""A team's world in the sandbox: a PostgreSQL with TLS, its PKI and secrets, a DMS instance.

::

    with World.start() as world:
        run = world.onboard()                   # a direct start with {"sources": [...]}
        world.renew()                           # new CA and leaf, in the secret and on the server
        assert world.outcome() == "certified"

Scenarios, the demo and the chaos runs all play in it; whatever they need beyond it, they take from
``world.cloud`` and ``world.server``.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certifier.ownership import HOLDS_TAG
from sandbox.aws import Cloud, Execution
from sandbox.aws.cloud import CONSENT
from sandbox.pki import Authority, Leaf
from sandbox.postgres import Access, Postgres

HOST = "orders.db.example.com"
NAME = "orders"
ENDPOINT = "orders-source"
TARGET = "warehouse-target"
CREDENTIALS = "dms/orders"
PAIR = "dms/orders-tls"
TRUST_BUCKET = "platform-trust"
DATABASE = "postgres"
USER = "dms_user"
PASSWORD = "correct-horse-battery"
CONSENTED = [{"Key": key, "Value": value} for key, value in CONSENT.items()]
"""The tags of an endpoint whose owner lets every source use it."""

_deserialize = TypeDeserializer().deserialize


class World:
    """One source, ``orders``, and everything around it.

    Attributes:
        cloud: the account, with Certifier deployed.
        server: the PostgreSQL that answers as ``HOST``.
        authority: the CA that issued ``leaf``, the newest pair.
        serving: the CA of the certificate that PostgreSQL serves.
        instance: ARN of the replication instance.
        host: the name that the server answers as.
    """

    def __init__(
        self, cloud: Cloud, server: Postgres, authority: Authority, leaf: Leaf, host: str = HOST
    ) -> None:
        self.host = host
        self.cloud = cloud
        self.server = server
        self.authority = authority
        self.leaf = leaf
        self.instance = cloud.dms.add_instance("replication-1")
        self.serving = authority
        self._authorities = 1
        cloud.client("s3").create_bucket(
            Bucket=TRUST_BUCKET, CreateBucketConfiguration={"LocationConstraint": cloud.region}
        )

    @classmethod
    @contextmanager
    def start(
        cls, *, major: int = 17, hba: Access = Access.TLS_ONLY, **cloud: Any
    ) -> Iterator["World"]:
        """Start the server, then the account; both end with the context.

        Args:
            cloud: what :meth:`sandbox.aws.Cloud.start` takes.
        """
        authority = Authority.root("Orders CA 1")
        leaf = authority.issue(dns=(HOST,))
        server = Postgres.start(major=major, tls=leaf, hba=hba, users={USER: PASSWORD})
        hosts = {HOST: server.host, **cloud.pop("hosts", {})}
        with server, Cloud.start(hosts=hosts, **cloud) as account:
            world = cls(account, server, authority, leaf)
            world.put_credentials()
            world.put_pair()
            yield world

    def in_stack(self, stack: str) -> "World":
        """Return the same world as seen from one more installation of Certifier, of that stack."""
        other = copy.copy(self)
        other.cloud = self.cloud.install(stack)
        return other

    # -- what the team keeps in Secrets Manager

    def put_credentials(self, password: str = PASSWORD, **more: Any) -> str:
        """Write the credentials' secret as DMS wants it; return its ARN."""
        value = {
            "username": USER,
            "password": password,
            "host": self.host,
            "port": self.server.port,
            **more,
        }
        return self._marked(self.cloud.put_secret(CREDENTIALS, value), "credentials")

    def put_pair(self) -> str:
        """Write the pair and its CA into the secret, without a word; return the ARN."""
        return self._marked(self.cloud.put_secret(PAIR, self.pair()), "server-certificate")

    def _marked(self, arn: str, holds: str) -> str:
        """Say on a secret what it holds, as its owner does."""
        tags = [{"Key": HOLDS_TAG, "Value": holds}]
        self.cloud.client("secretsmanager").tag_resource(SecretId=arn, Tags=tags)
        return arn

    def put_bundle(self, key: str, pem: bytes) -> str:
        """Write a CA bundle into the platform's bucket; return its URI."""
        self.cloud.client("s3").put_object(Bucket=TRUST_BUCKET, Key=key, Body=pem)
        return f"s3://{TRUST_BUCKET}/{key}"

    def pair(self) -> dict[str, str]:
        """Return what the pair's secret holds: certificate, key, chain and CA."""
        return {
            "certificate": self.leaf.fullchain_pem.decode(),
            "private_key": self.leaf.key_pem.decode(),
            "ca": self.authority.certificate_pem.decode(),
        }

    def arn(self, secret: str) -> str:
        """Return the ARN of a secret by its name."""
        found = self.cloud.client("secretsmanager").describe_secret(SecretId=secret)
        return str(found["ARN"])

    def source(self, **changes: Any) -> dict[str, Any]:
        """Return the source as a person writes it; a ``None`` in ``changes`` leaves a field out."""
        whole = {
            "name": NAME,
            "endpoint": ENDPOINT,
            "host": self.host,
            "port": self.server.port,
            "database": DATABASE,
            "ssl_mode": "verify-full",
            "credentials": self.arn(CREDENTIALS),
            "server_certificate": self.arn(PAIR),
            "replication_instances": [self.instance],
            **changes,
        }
        return {key: value for key, value in whole.items() if value is not None}

    # -- what happens

    def onboard(self, **changes: Any) -> Execution:
        """Start the machine with this source, as an onboarding pipeline does."""
        return self.cloud.run({"sources": [self.source(**changes)]})

    def recertify(self, mode: str = "apply") -> Execution:
        """Start the machine with the registered source's name."""
        return self.cloud.run({"names": [NAME], "mode": mode})

    def issue(self, *, new_authority: bool = True, **leaf: Any) -> None:
        """Make a new leaf, of a new CA unless a keyword says otherwise. Nobody knows of it yet."""
        if new_authority:
            self._authorities += 1
            self.authority = Authority.root(f"Orders CA {self._authorities}")
        self.leaf = self.authority.issue(**{"dns": (self.host,), **leaf})

    def serve(self) -> None:
        """Have PostgreSQL serve the present leaf."""
        self.server.use_tls(self.leaf)
        self.serving = self.authority

    def announce(self, *, wait: bool = True, **changes: str) -> list[Execution]:
        """Put the present pair, with those changes, into its secret; Secrets Manager says so."""
        return self.cloud.rotate_secret(PAIR, {**self.pair(), **changes}, wait=wait)

    def renew(self, *, wait: bool = True, **leaf: Any) -> list[Execution]:
        """Renew everything at once: a new pair, served, then announced."""
        self.issue(**leaf)
        self.serve()
        return self.announce(wait=wait)

    def add_task(self, identifier: str = "orders-to-warehouse", *, target: str = TARGET) -> str:
        """Let a task replicate from the endpoint to a target of its own; return its ARN."""
        made = self.endpoint(target)
        if made is None:
            made = self.cloud.client("dms").create_endpoint(
                EndpointIdentifier=target,
                EndpointType="target",
                EngineName="postgres",
                ServerName=self.host,
                Port=self.server.port,
                DatabaseName=DATABASE,
                Username=USER,
                Password=PASSWORD,
                SslMode="require",
                Tags=CONSENTED,
            )["Endpoint"]
        endpoint = self.endpoint() or {}
        return self.cloud.dms.add_task(
            identifier,
            source=endpoint["EndpointArn"],
            target=made["EndpointArn"],
            instance=self.instance,
        )

    # -- what has come of it

    def unfinished(self, name: str = NAME) -> list[str]:
        """Return what a run has left open: a claim, an undo log, pauses, a canary."""
        open_ends = [kind for kind in ("claim", "canary") if self.state(name).get(kind)]
        if self.item(f"UNDO#{name}", "UNDO"):
            open_ends.append("undo")
        items = ({k: _deserialize(v) for k, v in item.items()} for item in self.cloud.items())
        return open_ends + [item["sk"] for item in items if item["pk"] == "PAUSE"]

    def state(self, name: str = NAME) -> Mapping[str, Any]:
        """Return the source's STATE item, as plain values."""
        return self.item(f"SOURCE#{name}", "STATE")

    def item(self, pk: str, sk: str) -> Mapping[str, Any]:
        """Return one item of the table as plain values; empty when it is not there."""
        for packed in self.cloud.items():
            item = {key: _deserialize(value) for key, value in packed.items()}
            if (item["pk"], item["sk"]) == (pk, sk):
                return item
        return {}

    def outcome(self, name: str = NAME) -> str | None:
        """Return how the source's last run ended."""
        return self.state(name).get("outcome")

    def causes(self, name: str = NAME) -> list[str]:
        """Return the causes in the source's last findings."""
        return [found["cause"] for found in self.state(name).get("findings", ())]

    def record(self, name: str = NAME) -> dict[str, Any]:
        """Return the newest record of the source."""
        records = self.cloud.objects(f"records/{name}/")
        newest = max(key for key in records if key.endswith(".json"))
        return dict(json.loads(records[newest]))

    def endpoint(self, identifier: str = ENDPOINT) -> dict[str, Any] | None:
        """Return the endpoint as DMS describes it, without a call."""
        for endpoint in self.cloud.dms.endpoints():
            if endpoint["EndpointIdentifier"] == identifier:
                return endpoint
        return None

    def trusted(self, identifier: str = ENDPOINT) -> str:
        """Return the PEM of the CAs that the endpoint trusts."""
        endpoint = self.endpoint(identifier) or {}
        for certificate in self.cloud.dms.certificates():
            if certificate["CertificateArn"] == endpoint.get("CertificateArn"):
                return str(certificate["CertificatePem"])
        return ""
