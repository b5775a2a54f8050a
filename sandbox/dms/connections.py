"""Connection tests, asynchronous and real (AWS facts, section 4)."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from sandbox.dms.libpq import BLACKHOLE, Target, connect, failure_message, secret_message
from sandbox.dms.world import (
    Connection,
    Endpoint,
    Fault,
    Instance,
    Operations,
    Test,
    World,
    bad_state,
    not_found,
    page,
    pair_of,
)

SECRET_ID, SECRET_ROLE = "SecretsManagerSecretId", "SecretsManagerAccessRoleArn"


class Connections:
    """Test, describe, delete; and the tests that DMS starts by itself."""

    def __init__(self, dms: World) -> None:
        self._dms = dms
        self._done = threading.Condition(dms.lock)
        self._threads: list[threading.Thread] = []

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "TestConnection": self._test,
            "DescribeConnections": self._describe,
            "DeleteConnection": self._delete,
        }

    def _test(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._dms.endpoint(params["EndpointArn"])
        instance = self._dms.instance(params["ReplicationInstanceArn"])
        if endpoint.seen["Status"] != "active":
            raise bad_state(
                f"Endpoint {endpoint.seen['EndpointArn']} is in status {endpoint.seen['Status']}"
            )
        if instance.seen["ReplicationInstanceStatus"] != "available":
            raise bad_state(
                f"Replication instance {instance.seen['ReplicationInstanceArn']} is in status "
                f"{instance.seen['ReplicationInstanceStatus']}"
            )
        connection = self._dms.state.connections.get(pair_of(endpoint, instance))
        if connection is None:
            self._check_quota(instance)
        elif connection.status in ("testing", "deleting"):
            raise bad_state(f"Connection is already being {connection.status.replace('ing', 'ed')}")
        connection = self._start(endpoint, instance)
        return {"Connection": self.seen(connection, stale=False)}

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        filters = params.get("Filters") or []
        if not self._dms.switches.connection_filters_anded:
            filters = filters[-1:]
            params = params | {"Filters": filters}
        # A look at one endpoint's must not take longer, the more endpoints there are.
        named = [
            {arn.lower() for arn in one["Values"]}
            for one in filters
            if one["Name"] == "endpoint-arn"
        ]
        found = self._dms.filtered(
            params,
            [
                {"EndpointArn": endpoint, "ReplicationInstanceArn": instance}
                for endpoint, instance in self._dms.state.connections
                if all(endpoint.lower() in arns for arns in named)
            ],
            {
                "endpoint-arn": "EndpointArn",
                "replication-instance-arn": "ReplicationInstanceArn",
            },
        )
        shown = page(params, "Connections", found)
        pairs = [
            (one["EndpointArn"], one["ReplicationInstanceArn"]) for one in shown["Connections"]
        ]
        return shown | {
            "Connections": [
                self.seen(self._dms.state.connections[pair], stale=True) for pair in pairs
            ]
        }

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        key = params["EndpointArn"], params["ReplicationInstanceArn"]
        connection = self._dms.state.connections.get(key)
        if connection is None:
            raise not_found("Connection not found")
        if connection.status in ("testing", "deleting"):
            raise bad_state(f"Connection is in status {connection.status}")
        connection.status = "deleting"
        self._dms.later(
            self._dms.durations.connection_deleting, lambda: self._forget(key, connection)
        )
        return {"Connection": self.seen(connection, stale=False)}

    def _forget(self, key: tuple[str, str], connection: Connection) -> None:
        if self._dms.state.connections.get(key) is connection:
            del self._dms.state.connections[key]

    def _check_quota(self, instance: Instance) -> None:
        arn = instance.seen["ReplicationInstanceArn"]
        used = sum(1 for _, tested_from in self._dms.state.connections if tested_from == arn)
        if used >= self._dms.quotas.endpoints_per_instance:
            raise Fault(
                "ResourceQuotaExceededFault",
                f"The quota for endpoints of replication instance {arn} is exceeded",
            )

    def hidden_test(self, endpoint: Endpoint) -> None:
        """Start the test that DMS starts unasked, wherever the endpoint was tested before."""
        for connection in self.all():
            if connection.endpoint is endpoint:
                self.test_unless_testing(endpoint, connection.instance)

    def test_unless_testing(self, endpoint: Endpoint, instance: Instance) -> None:
        """Start a test that is skipped when one is under way."""
        connection = self._dms.state.connections.get(pair_of(endpoint, instance))
        if connection is None or connection.status not in ("testing", "deleting"):
            self._start(endpoint, instance)

    def _start(self, endpoint: Endpoint, instance: Instance) -> Connection:
        """Judge the endpoint's settings as they are now; the verdict comes when time is over."""
        connection = self._dms.state.connections.setdefault(
            pair_of(endpoint, instance), Connection(endpoint, instance)
        )
        if connection.test is not None or connection.revision >= 0:
            connection.old_status = connection.status
            connection.old_until = self._dms.now() + self._dms.switches.old_status_shown_for
        connection.status = "testing"
        test = connection.test = Test(endpoint.revision)
        seconds = self._dms.durations.testing
        target = self._target(endpoint)
        words = self._dms.judge(self._dms.seen_endpoint(endpoint))
        if words is not None:
            test.message = self._failure(words) if words else ""
        elif isinstance(target, str):
            test.message = target
        elif (self._dms.resolve or {}).get(target.host) == BLACKHOLE:
            test.message = self._failure("timeout expired")
            seconds = self._dms.durations.connect_timeout
        else:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(
                target=self._connect, args=(connection, test, target), name="dms-test", daemon=True
            )
            self._threads.append(thread)
            thread.start()

        def elapsed() -> None:
            test.elapsed = True
            self._conclude(connection, test)

        self._dms.later(seconds, elapsed)
        return connection

    def _connect(self, connection: Connection, test: Test, target: Target) -> None:
        """In a thread of its own, with no lock held while libpq works."""
        try:
            words = connect(target, self._dms.resolve)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the test must end and show it
            words = f"internal error {type(bug).__name__}"
        with self._dms.lock:
            test.message = "" if words is None else self._failure(words)
            self._conclude(connection, test)
            self._done.notify_all()

    def _conclude(self, connection: Connection, test: Test) -> None:
        """The verdict shows once libpq is done and the test's time is over, whichever is later."""
        if connection.test is not test or test.message is None or not test.elapsed:
            return
        connection.revision = test.revision
        connection.status = "failed" if test.message else "successful"
        if test.message or not self._dms.switches.old_message_kept:
            connection.message = test.message or None

    def wait(self, patience: float) -> None:
        """Give libpq so many real seconds to end the tests whose time is over on the clock."""
        if patience:
            self._done.wait_for(lambda: not self._overdue(), timeout=patience)

    def settle(self, timeout: float) -> None:
        """Wait for every connection under way."""
        with self._dms.lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(timeout)

    def _overdue(self) -> bool:
        return any(
            one.test is not None and one.test.elapsed and one.test.message is None
            for one in self.all()
        )

    def _failure(self, words: str) -> str:
        return failure_message(
            words,
            style=self._dms.switches.failure_style,
            server_prefix=self._dms.switches.server_prefix_shown,
        )

    def _target(self, endpoint: Endpoint) -> Target | str:
        """What to connect to, or the failure message when the endpoint's secret is of no use."""
        settings = endpoint.settings
        login: Mapping[str, Any] = {
            "host": settings.get("ServerName"),
            "port": settings.get("Port"),
            "username": settings.get("Username"),
            "password": endpoint.password,
        }
        attributes = _attributes(endpoint.seen.get("ExtraConnectionAttributes", ""))
        secret = settings.get(SECRET_ID) or attributes.get(SECRET_ID.lower())
        if secret is not None:
            role = settings.get(SECRET_ROLE) or attributes.get(SECRET_ROLE.lower(), "")
            if not self._dms.may(role, "secretsmanager:GetSecretValue", secret):
                return secret_message(secret, "is not authorized to perform GetSecretValue")
            try:
                login = dict(json.loads(self._dms.secrets(secret)))
                int(login.get("port", 0))
            except (LookupError, TypeError, ValueError):
                return secret_message(secret, "Secrets Manager can't find the specified secret.")
            missing = [key for key in ("username", "password", "port", "host") if key not in login]
            if missing:
                return secret_message(secret, f"missing {', '.join(missing)}")
        ssl_mode = endpoint.seen["SslMode"]
        certificate = self._dms.state.certificates.get(endpoint.seen.get("CertificateArn", ""))
        trusts = ssl_mode.startswith("verify-") or (
            ssl_mode == "require" and self._dms.switches.require_uses_root_certificate
        )
        return Target(
            host=str(login.get("host") or ""),
            port=int(login.get("port") or 5432),
            user=str(login.get("username") or ""),
            password=str(login.get("password") or ""),
            database=settings.get("DatabaseName"),
            ssl_mode=ssl_mode,
            bundle=certificate.seen.get("CertificatePem") if certificate and trusts else None,
            self_signed_trusted=self._dms.switches.self_signed_trusted,
        )

    def seen(self, connection: Connection, *, stale: bool) -> dict[str, Any]:
        """As DescribeConnections shows it, or, unless `stale`, as it is."""
        status = connection.status
        if (
            stale
            and status == "testing"
            and connection.old_status
            and (self._dms.now() < connection.old_until)
        ):
            status = connection.old_status
        seen = {
            "EndpointArn": connection.endpoint.seen["EndpointArn"],
            "EndpointIdentifier": connection.endpoint.seen["EndpointIdentifier"],
            "ReplicationInstanceArn": connection.instance.seen["ReplicationInstanceArn"],
            "ReplicationInstanceIdentifier": connection.instance.seen[
                "ReplicationInstanceIdentifier"
            ],
            "Status": status,
        }
        return seen | ({"LastFailureMessage": connection.message} if connection.message else {})

    def all(self) -> list[Connection]:
        """Every connection; tests may be started while they are looked at."""
        return list(self._dms.state.connections.values())

    def is_testing(self, endpoint: Endpoint) -> bool:
        """Whether any test of the endpoint is under way."""
        return any(one.endpoint is endpoint and one.status == "testing" for one in self.all())


def _attributes(text: str) -> dict[str, str]:
    """Extra connection attributes by name, in lower case; they may hold a secret too."""
    pairs = (part.partition("=")[::2] for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, value in pairs if name.strip()}
