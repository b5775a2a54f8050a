"""What every step is given: its event, its settings, and the adapters, clock and resolver."""

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from pydantic import ValidationError

from certifier.aws.bus import Bus
from certifier.aws.clients import Clients
from certifier.aws.s3 import Bucket, Documents
from certifier.aws.secrets import Secrets
from certifier.aws.sns import Topic
from certifier.aws.states import States
from certifier.aws.store import Store
from certifier.errors import InvalidSettings, Refused
from certifier.models import Fact
from certifier.run.documents import Document
from certifier.run.ending import document_gone
from certifier.run.event import StepEvent
from certifier.run.state import SourceState
from certifier.source import problems_of

if TYPE_CHECKING:
    from certifier.aws.acm import Acm
    from certifier.aws.dms import Dms
    from certifier.aws.rds import Rds
    from certifier.roots import Roots

Clock = Callable[[], datetime]


Resolve = Callable[..., list[Any]]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


class StepSettings(Fact):
    """The environment of a function: field ``dms_secret_role`` is variable ``DMS_SECRET_ROLE``.

    Attributes:
        installation: the name of the stack, which no other stack of the account and Region has. It
            is the value of the tag ``certifier:stack`` on what this installation makes.
    """

    table: str
    bucket: str
    installation: str
    powertools_service_name: str = "certifier"
    powertools_metrics_namespace: str = "Certifier"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings in ``environ``; fields of other than text type are JSON there.

        Raises:
            InvalidSettings: naming every missing or wrong variable at once, never a value.
        """
        given = {
            name: environ[name.upper()] for name in cls.model_fields if name.upper() in environ
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise InvalidSettings(*map(_of_variable, problems_of(error))) from None


def _of_variable(problem: str) -> str:
    """Return a sentence about a field as one about the variable that the field was read from."""
    where, colon, what = problem.partition(": ")
    field, dot, within = where.partition(".")
    return f"{field.upper()}{dot}{within}{colon}{what}"


S = TypeVar("S", bound=StepSettings)
F = TypeVar("F", bound=Fact)


class StepContext(Generic[S]):
    """The collaborators of a step. Adapters are made when first used, and kept for the next call.

    The large ones that most steps do without are loaded only then.

    Attributes:
        settings: the function's environment, typed.
        now: the clock.
        resolve: ``socket.getaddrinfo``, or the sandbox's map in its place.
    """

    def __init__(
        self,
        settings: S,
        *,
        clients: Clients | None = None,
        now: Clock = utc_now,
        resolve: Resolve = socket.getaddrinfo,
        roots: "Roots | None" = None,
    ) -> None:
        self.settings = settings
        self.now = now
        self.resolve = resolve
        self._roots = roots
        self._clients = clients or Clients()

    @cached_property
    def roots(self) -> "Roots":
        """The roots that stand behind the words of ``ca_bundle``."""
        from certifier.roots import Roots  # noqa: PLC0415

        return self._roots or Roots()

    @cached_property
    def store(self) -> Store:
        """The table."""
        return Store(self._clients.client("dynamodb"), self.settings.table)

    def remembered(self, event: StepEvent) -> SourceState:
        """Return what is remembered of the source, as far as it concerns the endpoint of this run.

        A plan may be asked for with another endpoint than the registered one.
        """
        state = self.store.state(event.name) or SourceState(name=event.name)
        return state.about(event.source.spec.endpoint)

    def read(self, event: StepEvent, document: Document[F]) -> F | None:
        """Return a document of this run; ``None`` when its step has not written it."""
        return self.documents.read(event.run_id, document)

    def require(self, event: StepEvent, document: Document[F]) -> F:
        """Return a document without which the step may not go on.

        Raises:
            Refused: it is not there.
        """
        found = self.read(event, document)
        if found is None:
            raise Refused.because(document_gone(f"{document.name}.json"))
        return found

    def write(self, event: StepEvent, document: Document[F], fact: F) -> None:
        """Write a document of this run; a later call of the step replaces it."""
        self.documents.write(event.run_id, document, fact)

    @cached_property
    def documents(self) -> Documents:
        """The documents of runs, records and reports."""
        return Documents(self._clients.client("s3"), self.settings.bucket)

    @cached_property
    def bundles(self) -> Bucket:
        """Objects of other teams' buckets that hold CA bundles."""
        return Bucket(self._clients.client("s3"))

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets Manager."""
        return Secrets(self._clients.client("secretsmanager"))

    @cached_property
    def dms(self) -> "Dms":
        """Database Migration Service."""
        from certifier.aws.dms import Dms  # noqa: PLC0415

        return Dms(self._clients.client("dms"))

    @cached_property
    def rds(self) -> "Rds":
        """RDS, of which events speak."""
        from certifier.aws.rds import Rds  # noqa: PLC0415

        return Rds(self._clients.client("rds"))

    def rds_in(self, region: str) -> "Rds":
        """RDS of the Region that a host is in."""
        from certifier.aws.rds import Rds  # noqa: PLC0415

        return Rds(self._clients.client("rds", region))

    def acm(self, stack: str) -> "Acm":
        """Certificate Manager, for the sources of one stack."""
        from certifier.aws.acm import Acm  # noqa: PLC0415

        return Acm(self._clients.client("acm"), stack)

    @cached_property
    def states(self) -> States:
        """Step Functions."""
        return States(self._clients.client("stepfunctions"))

    def topic(self, arn: str) -> Topic:
        """The topic that people read."""
        return Topic(self._clients.client("sns"), arn)

    def bus(self, name: str) -> Bus:
        """The event bus that machines listen to."""
        return Bus(self._clients.client("events"), name)
