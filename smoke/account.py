"""The account that a smoke works in: what it makes there, how it waits, and how it cleans up."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import Clients, code_of, message_of, translate
from certifier.aws.dms import AlreadyExists, Deletion, Dms, TestStart
from certifier.aws.secrets import Secret, Secrets
from certifier.endpoint.connection_test import Move, next_move
from certifier.endpoint.facts import Connection, DmsCertificate, Endpoint, EndpointFields
from certifier.errors import CertifierError, Refused, Retryable
from certifier.run.state import Marker
from certifier.text import printable
from certifier.vocabulary import SslMode
from smoke.request import Request, WrongInput

TAG = "certifier:smoke"
PREFIX = "smoke-certifier-"
DOMAIN = ".smoke-certifier.example.com"
"""The names of certificates in ACM end so, by which a sweep finds them."""

POLL = 5.0
FAST_POLL = 1.0  # where a moment is measured
CLOSELY = 15.0  # seconds
ENDPOINT_SECONDS = 300.0
TEST_SECONDS = 300.0
TASK_SECONDS = 900.0  # what DMS's own waiters allow
CLEAN_SECONDS = 1_800.0
CLEANINGS = 3
_KEY_TYPES = ("RSA_2048", "EC_prime256v1")
_WORDS = 512

T = TypeVar("T")


class OutOfTime(Exception):
    """Something did not happen in time; the text says what."""


class Broken(Exception):
    """A story cannot go on; the text says why, without a secret."""


class Fault(NamedTuple):
    """How a call was refused."""

    code: str
    text: str
    arn: str = ""


class Tested(NamedTuple):
    """How a test of our own ended, and how many seconds it took."""

    passed: bool
    message: str | None
    seconds: float


@dataclass(frozen=True)
class Login:
    """What the secret says. Never printed."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str


def login_of(request: Request, secrets: Secrets) -> Login:
    """Read the login.

    Raises:
        WrongInput: the secret cannot be read or used; the text names keys, never values.
    """
    secret = secrets.read(request.secret)
    if not isinstance(secret, Secret):
        raise WrongInput(f"--secret: {secret.seen}")
    missing = secret.missing("host", "port", "username", "password")
    if missing:
        raise WrongInput(f"--secret: {missing[0].seen}")
    port = secret.text("port") or ""
    if not port.isdecimal():
        raise WrongInput("--secret: its port is not a number")
    return Login(
        host=secret.text("host") or "",
        port=int(port),
        username=secret.text("username") or "",
        password=secret.text("password") or "",
        database=request.database or secret.text("dbname") or "postgres",
    )


class Account:
    """A real account, or the stand-ins in moto: the stories see no difference.

    Args:
        clients: of a session in the Region of the replication instance.
        run: names what this run makes; eight characters of lower-case hex.
        now: seconds since the epoch; ``sleep`` lets time pass. The tests hand in their own.
    """

    def __init__(
        self,
        request: Request,
        clients: Clients,
        login: Login,
        *,
        run: str,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.request = request
        self.login = login
        self.run = run
        self.now = now
        self.sleep = sleep
        self.instance = request.instance
        self.dms = Dms(clients.client("dms"))
        self.raw: Any = clients.client("dms")
        self.acm: Any = clients.client("acm")
        self.tags = {TAG: run}
        self._made: dict[str, None] = {}  # names of what may be there, in order
        self._ends = now() + request.minutes * 60
        self._sweeps = False

    @property
    def has_time(self) -> bool:
        """Whether the run has time left."""
        return self.now() < self._ends

    # ---- names, values, words

    def name(self, what: str) -> str:
        """Return the identifier of something that this run makes."""
        return f"{PREFIX}{self.run}-{what}"

    def hide(self, text: str) -> str:
        """Return a text that can be printed; DMS has no reason to quote the password, yet."""
        return printable(text.replace(self.login.password, "***"), _WORDS)

    def fields(
        self, ssl_mode: SslMode, certificate_arn: str | None = None, **other: Any
    ) -> EndpointFields:
        """Return the fields of an endpoint that reaches the server, or differs in ``other``."""
        reaching = {
            "server_name": self.login.host,
            "port": self.login.port,
            "username": self.login.username,
            "database_name": self.login.database,
        }
        return EndpointFields(
            ssl_mode=ssl_mode, certificate_arn=certificate_arn, **(reaching | other)
        )

    def plain(self, ssl_mode: SslMode, **other: Any) -> dict[str, Any]:
        """Return the parameters of a plain CreateEndpoint that reaches the server."""
        return {
            "EndpointType": "source",
            "EngineName": "postgres",
            "ServerName": self.login.host,
            "Port": self.login.port,
            "Username": self.login.username,
            "Password": self.login.password,
            "DatabaseName": self.login.database,
            "SslMode": ssl_mode.value,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        } | other

    # ---- calls and time

    def fault(self, operation: str, /, **params: Any) -> Fault | None:
        """Make a plain call; return how it was refused, or None when it was taken.

        Raises:
            CertifierError: the service is slow or away, or the call is not allowed at all.
        """
        try:
            getattr(self.raw, operation)(**params)
        except (ClientError, BotoCoreError) as error:
            ours = translate(error)
            if isinstance(ours, Refused | Retryable) or not isinstance(error, ClientError):
                raise ours from None
            response: Any = error.response
            return Fault(code_of(error), message_of(error), str(response.get("resourceArn") or ""))
        return None

    def wait(
        self, seconds: float, what: str, look: Callable[[], T | None], every: float = POLL
    ) -> T:
        """Ask until there is an answer; what a moment cannot answer is asked again.

        Raises:
            OutOfTime: there was none within ``seconds``, or the whole run has no time left.
        """
        ends = min(self.now() + seconds, self._ends)
        for _ in range(int(seconds / every) + 2):
            found = _unless_busy(look)
            if found is not None:
                return found
            if self.now() + every > ends:
                break
            self.sleep(every)
        raise OutOfTime(f"{what} took longer than {max(0, int(seconds))} s, or the run did")

    def patiently(self, what: str, call: Callable[[], T]) -> T:
        """Make a call again while the resource is in a state that passes."""
        return self.wait(ENDPOINT_SECONDS, what, lambda: (call(),))[0]

    def watch(self, seconds: float, look: Callable[[], T | None]) -> tuple[T | None, float]:
        """Look for something that may never come: what came, and after how long.

        To the second at first, less often after ``CLOSELY``.
        """
        began = self.now()
        found = None
        for until, every in ((min(CLOSELY, seconds), FAST_POLL), (seconds, POLL)):
            if found is None and (remains := until - (self.now() - began)) >= 0:
                with suppress(OutOfTime):
                    found = self.wait(remains, "it", look, every)
        passed = self.now() - began
        return found, 0.0 if passed < FAST_POLL else float(round(passed))

    # ---- certificates and endpoints

    def certificate(self, what: str, pem: str) -> DmsCertificate:
        """Import a bundle of CAs."""
        identifier = self.will_make("certificate", what)
        return self.patiently(
            f"the import of {identifier}",
            lambda: self.dms.import_certificate(identifier, pem, tags=self.tags),
        )

    def endpoint(
        self,
        what: str,
        fields: EndpointFields,
        *,
        endpoint_type: str = "source",
        resource: str | None = None,
    ) -> Endpoint:
        """Create an endpoint and wait until it is active. ``resource``: what its ARN ends with."""
        identifier = self.will_make("endpoint", what)
        password = None if fields.secret_id else self.login.password
        made = self.patiently(
            f"the creation of {identifier}",
            lambda: self.dms.create_endpoint(
                identifier,
                endpoint_type,
                "postgres",
                fields,
                password=password,
                tags=self.tags,
                resource=resource,
            ),
        )
        # a lost answer was asked again: the name carries this run's own number
        return self.active(identifier if isinstance(made, AlreadyExists) else made.arn)

    def active(self, name: str) -> Endpoint:
        """Wait until an endpoint is active."""

        def look() -> Endpoint | None:
            endpoint = self.dms.endpoint(name)
            return endpoint if endpoint is not None and endpoint.status == "active" else None

        return self.wait(ENDPOINT_SECONDS, f"{name} to become active", look)

    def described(self, arn: str) -> Mapping[str, Any]:
        """Return an endpoint as DMS itself describes it."""
        found = self.raw.describe_endpoints(Filters=[{"Name": "endpoint-arn", "Values": [arn]}])
        return dict(found["Endpoints"][0])

    def change(
        self, endpoint: Endpoint, fields: EndpointFields, *, password: str | None = None
    ) -> Endpoint:
        """Modify an endpoint as soon as DMS lets us, and wait until it is active."""
        password = password or (self.login.password if fields.server_name else None)
        self.patiently(
            f"the change of {endpoint.identifier}",
            lambda: self.dms.modify_endpoint(endpoint, fields, password=password),
        )
        return self.active(endpoint.arn)

    def described_certificate(self, identifier: str) -> Mapping[str, Any]:
        """Return a certificate as DMS itself describes it."""
        filters = [{"Name": "certificate-id", "Values": [identifier]}]
        return dict(self.raw.describe_certificates(Filters=filters)["Certificates"][0])

    # ---- tests

    def connection(self, arn: str) -> Connection | None:
        """Return what DMS shows of the tests of an endpoint from the instance."""
        return next(iter(self.dms.connections(arn, self.instance)), None)

    def shown(self, arn: str) -> Mapping[str, Any]:
        """Return that as DMS itself shows it."""
        found = self.raw.describe_connections(Filters=[{"Name": "endpoint-arn", "Values": [arn]}])
        return next(
            one
            for one in found["Connections"]
            if (one["EndpointArn"], one["ReplicationInstanceArn"]) == (arn, self.instance)
        )

    def quiet(self, arn: str) -> None:
        """Wait until no test of an endpoint is under way."""

        def look() -> bool | None:
            connection = self.connection(arn)
            return True if connection is None or connection.status != "testing" else None

        self.wait(TEST_SECONDS, "a test to end", look)

    def test(self, arn: str) -> Tested:
        """Make a test of our own to its end, and believe it as the product does."""
        marker: Marker | None = None

        def look() -> Connection | None:
            nonlocal marker
            now = datetime.fromtimestamp(self.now(), UTC)
            shown = self.connection(arn)
            move, marker = next_move(marker, shown, digest="", now=now)
            if move is Move.MISSING:
                raise Broken("the connection was deleted while it was tested")
            if move is Move.FORGET and self.dms.delete_connection(arn, self.instance):
                marker = Marker(settings_digest="", accepted_at=now, forgotten=True)
            if move is Move.START and self.start_test(arn) is TestStart.ACCEPTED:
                none_seen = marker is not None and marker.none_seen
                marker = Marker(settings_digest="", accepted_at=now, none_seen=none_seen)
                _, marker = next_move(marker, self.connection(arn), digest="", now=now)
            return shown if move is Move.BELIEVE else None

        connection = self.wait(TEST_SECONDS, "a test to end", look, FAST_POLL)
        began = marker.accepted_at.timestamp() if marker else self.now()
        passed = connection.status == "successful"
        return Tested(passed, connection.message, self.now() - began)

    def start_test(self, arn: str) -> TestStart:
        """Start a test, or find one under way."""
        return self.dms.test_connection(arn, self.instance)

    # ---- cleaning up

    def will_make(self, kind: str, what: str) -> str:
        """Remember what is about to be made, before it is: an answer may get lost."""
        name = f"{self.run}{DOMAIN}" if kind == "acm" else self.name(what)
        self._made[f"{kind} {name}"] = None
        return name

    def clean(self) -> tuple[str, ...]:
        """Delete everything that was made; return commands for what could not be deleted.

        It has time of its own, so that a run out of time leaves nothing behind.
        """
        ends, self._ends = self._ends, self.now() + CLEAN_SECONDS
        try:
            return tuple(self._cleaned())
        finally:
            self._ends = ends

    def _cleaned(self) -> Iterator[str]:
        """Delete in the order in which things hold each other; yield what stays."""
        made = [entry.split(" ", 1) for entry in self._made]
        steps: tuple[tuple[str, Callable[[str], str | None]], ...] = (
            ("task", self._clean_task),
            ("endpoint", self._clean_endpoint),
            ("certificate", self._clean_certificate),
            ("acm", self._clean_acm),
        )
        for kind, clean in steps:
            for name in [name for of_kind, name in made if of_kind == kind]:
                still = self._tried(kind, name, clean)
                if still is None:
                    del self._made[f"{kind} {name}"]
                else:
                    yield still

    def _tried(self, kind: str, name: str, clean: Callable[[str], str | None]) -> str | None:
        """Clean up one thing; a call that failed once may succeed."""
        still = None
        for _ in range(CLEANINGS):
            try:
                return clean(name)
            except (CertifierError, ClientError, BotoCoreError, OutOfTime) as error:
                still = f"# {kind} {name} could not be looked at: {type(error).__name__}"
                self.sleep(POLL)
        return still

    def sweep(self) -> tuple[str, ...]:
        """Delete what smokes of any time left behind."""
        self._sweeps = True
        for endpoint in self.dms.all_endpoints():
            self._found("endpoint", endpoint.identifier)
        for certificate in self.dms.all_certificates():
            self._found("certificate", certificate.identifier)
        for task in self._tasks():
            self._found("task", task["ReplicationTaskIdentifier"])
        self._made[f"acm {DOMAIN}"] = None
        return self.clean()

    def _found(self, kind: str, name: str) -> None:
        if name.lower().startswith(PREFIX):
            self._made[f"{kind} {name}"] = None

    def _is_ours(self, arn: str) -> bool:
        """Whether a resource carries our tag: a name alone is not a reason to delete anything."""
        tag = self.dms.tags(arn).get(TAG)
        return tag is not None if self._sweeps else tag == self.run

    def _tasks(self) -> Iterator[Mapping[str, Any]]:
        pages = self.raw.get_paginator("describe_replication_tasks")
        for page in pages.paginate(WithoutSettings=True):
            yield from page["ReplicationTasks"]

    def _task(self, name: str) -> Mapping[str, Any] | None:
        found = (one for one in self._tasks() if one["ReplicationTaskIdentifier"] == name)
        return next(found, None)

    def _clean_task(self, name: str) -> str | None:
        task = self._task(name)
        if task is None:
            return None
        arn = task["ReplicationTaskArn"]
        if not self._is_ours(arn):
            return f"# {name} does not carry the tag {TAG}: not deleted"

        def look() -> bool | None:
            now = self._task(name)
            if now is None:
                return True
            if now["Status"] == "running":
                self.dms.stop_task(arn)
            elif now["Status"] in ("ready", "stopped", "failed", "creating"):
                self.fault("delete_replication_task", ReplicationTaskArn=arn)
            return None

        return self._gone(look, f"aws dms delete-replication-task --replication-task-arn {arn}")

    def _clean_endpoint(self, name: str) -> str | None:
        endpoint = self.dms.endpoint(name)
        if endpoint is None:
            return None
        if not self._is_ours(endpoint.arn):
            return f"# {name} does not carry the tag {TAG}: not deleted"
        arn = endpoint.arn

        def look() -> bool | None:
            now = self.dms.endpoint(arn)
            if now is not None and now.status != "deleting":
                self.dms.delete_endpoint(arn)
            return True if now is None else None

        return self._gone(look, f"aws dms delete-endpoint --endpoint-arn {arn}")

    def _clean_certificate(self, name: str) -> str | None:
        found = [
            one for one in self.dms.all_certificates() if one.identifier.lower() == name.lower()
        ]
        for certificate in found:
            arn = certificate.arn
            if not self._is_ours(arn):
                return f"# {name} does not carry the tag {TAG}: not deleted"
            command = f"aws dms delete-certificate --certificate-arn {arn}"

            def look(arn: str = arn) -> bool | None:
                return None if self.dms.delete_certificate(arn) is Deletion.IN_USE else True

            if (still := self._gone(look, command)) is not None:
                return still
        return None

    def _clean_acm(self, ending: str) -> str | None:
        pages = self.acm.get_paginator("list_certificates")
        listed = pages.paginate(Includes={"keyTypes": list(_KEY_TYPES)})
        for page in listed:
            for one in page["CertificateSummaryList"]:
                arn = one["CertificateArn"]
                if one.get("DomainName", "").endswith(ending) and self._is_our_acm(arn):
                    self.acm.delete_certificate(CertificateArn=arn)
        return None

    def _is_our_acm(self, arn: str) -> bool:
        tags = self.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        tag = {one["Key"]: one.get("Value", "") for one in tags}.get(TAG)
        return tag is not None if self._sweeps else tag == self.run

    def _gone(self, look: Callable[[], bool | None], command: str) -> str | None:
        """Wait until something is gone; return the command that deletes it when it is not."""
        try:
            self.wait(TASK_SECONDS, "the deletion", look)
        except OutOfTime:
            return command
        return None


def _unless_busy(look: Callable[[], T | None]) -> T | None:
    try:
        return look()
    except Retryable:
        return None


@contextmanager
def cleaned(account: Account, left: list[str]) -> Iterator[None]:
    """Clean up after a story, however it ends; ``left`` gets what could not be deleted."""
    try:
        yield
    finally:
        left[:] = account.clean()
