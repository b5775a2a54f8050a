"""boto3 clients with time limits, and the one place that turns botocore's errors into ours."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self, cast, overload

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from certifier.aws.clock import ServiceClock
from certifier.errors import (
    Busy,
    CertifierError,
    Refused,
    Throttled,
    Unavailable,
    Unexpected,
)
from certifier.vocabulary import Cause

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dms import DatabaseMigrationServiceClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

CONNECT_SECONDS = 3
READ_SECONDS = 10
ATTEMPTS = 3


def config(attempts: int = ATTEMPTS) -> Config:
    """Return the client settings: time limits, and how often botocore itself may try a call.

    Three attempts with both limits and the longest back-off between them end before the shortest
    function timeout (60 seconds), so that a service that does not answer is an error of ours, not
    a function that is cut off. Both limits count anew for each address and each packet.
    """
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="certifier",
    )


def keep_bodies_out_of_logs() -> None:
    """Let botocore log nothing at DEBUG, whatever the level of the root logger.

    It would log the body of every request and answer: passwords and keys. A function's log level
    is set by whoever looks for something else (``AWS_LAMBDA_LOG_LEVEL``).
    """
    for library in ("botocore", "boto3"):
        logging.getLogger(library).setLevel(logging.INFO)


class Clients:
    """Clients of one session, each made when first asked for; safe to share between threads.

    ACM's client tries once only: a retry after a lost answer of an import without an ARN makes a
    second certificate, so whoever imports decides what a lost answer means.

    Attributes:
        throttles: how often DMS has said so far that calls come too fast, botocore's own retries
            included.
        clock: what time it is. Only the clients :meth:`of_profile` go by AWS's; a function's go by
            the machine's.
    """

    def __init__(self, session: boto3.Session | None = None) -> None:
        keep_bodies_out_of_logs()
        self._session = session
        self._made: dict[str, Any] = {}
        self.throttles = 0
        self.clock = ServiceClock()
        self._lock = threading.Lock()

    @classmethod
    def of_profile(cls, profile: str | None, region: str | None) -> Self:
        """Return the clients of a named profile and Region, or of the environment's own.

        Raises:
            Refused: there is no such profile.
        """
        with translated():
            made = cls(session := boto3.Session(profile_name=profile, region_name=region))
        session.events.register("after-call", made.clock.hear)
        return made

    def caller(self) -> str | None:
        """Return the ARN of whoever calls; ``None`` when AWS does not say so."""
        try:
            return str(self.client("sts").get_caller_identity()["Arn"])
        except (ClientError, BotoCoreError, CertifierError):
            return None

    @overload
    def client(self, service: Literal["acm"]) -> "ACMClient": ...
    @overload
    def client(self, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
    @overload
    def client(self, service: Literal["dms"]) -> "DatabaseMigrationServiceClient": ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["events"]) -> "EventBridgeClient": ...
    @overload
    def client(self, service: Literal["rds"], region: str | None = None) -> Any: ...
    @overload
    def client(self, service: Literal["scheduler", "sts"]) -> Any: ...
    @overload
    def client(self, service: Literal["s3"]) -> "S3Client": ...
    @overload
    def client(self, service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
    @overload
    def client(self, service: Literal["sns"]) -> "SNSClient": ...
    @overload
    def client(self, service: Literal["stepfunctions"]) -> "SFNClient": ...

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client for ``service``, always the same one.

        Args:
            region: another Region than that of the session.
        """
        key = service if region is None else f"{service} in {region}"
        where = {} if region is None else {"region_name": region}
        with self._lock:
            if key not in self._made:
                self._session = self._session or boto3.Session()
                # The stubs know each service by its literal name; here it is a variable.
                make = cast("Callable[..., Any]", self._session.client)
                attempts = 1 if service == "acm" else ATTEMPTS
                with translated():
                    try:
                        self._made[key] = make(service, config=config(attempts), **where)
                    except BotoCoreError:  # some of them are a ValueError too
                        raise
                    except ValueError:  # botocore's own, without a class; it quotes the URL
                        raise Refused(Cause.AWS_DENIED, seen=_NO_URL.format(service)) from None
                if service == "dms":
                    self._count_throttles(self._made[key])
            return self._made[key]

    def _count_throttles(self, dms: Any) -> None:
        """Look at every answer of DMS, whoever retries it."""
        event, mine = "needs-retry.database-migration-service", "certifier-throttles"

        def look(response: Any = None, **_: Any) -> None:
            code = response[1].get("Error", {}).get("Code", "") if response else ""
            if _BY_CODE.get(code) is Throttled:
                self.throttles += 1

        # A client that others share counts for who asked for it last.
        dms.meta.events.unregister(event, unique_id=mine)
        dms.meta.events.register(event, look, unique_id=mine)


# Codes that mean the same for every service; what only one service says is its adapter's business.
_BY_CODE: dict[str, type[CertifierError]] = {
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "ThrottlingError",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "BandwidthLimitExceeded",
            "SlowDown",
        ),
        Throttled,
    ),
    **dict.fromkeys(
        (
            "TransactionConflictException",
            "TransactionInProgressException",
            "ConcurrentModificationException",
            "OperationAborted",
        ),
        Busy,
    ),
    **dict.fromkeys(
        (
            "InternalError",
            "InternalFailure",
            "InternalFailureException",
            "InternalServerError",
            "InternalServerException",
            "InternalServiceError",
            "InternalServiceErrorException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "KMSInternalException",
        ),
        Unavailable,
    ),
}
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccessDeniedFault",
        "AuthorizationErrorException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NotAuthorized",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)

_NO_URL = (
    "the endpoint URL of {} is not a URL: look at AWS_ENDPOINT_URL, and at endpoint_url in the"
    " profile"
)
_SIGNATURE = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
"""Codes of a request that nobody has signed as AWS expects it. Their text quotes the request."""

_UNCONFIGURED = (
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)


def code_of(error: BaseException) -> str:
    """Return the service's error code, such as ``ResourceNotFoundFault``; empty when none."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: BaseException) -> str:
    """Return the service's own text; empty when the service did not answer."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Message", ""))


def translate(error: ClientError | BotoCoreError) -> CertifierError:
    """Return our error for one of botocore's; the caller raises it ``from None``.

    Denied calls are ``Refused`` with ``aws_denied``, and ``seen`` says which. What no table knows
    is ``Unexpected`` and names the operation and the code, never the service's text.
    """
    if isinstance(error, ClientError):
        code = code_of(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _DENIED:
            return Refused(Cause.AWS_DENIED, seen=f"{error.operation_name}: {message_of(error)}")
        if code in _SIGNATURE:
            return Refused(Cause.AWS_DENIED, seen=f"{error.operation_name}: {code}")
        if (kind := _BY_CODE.get(code)) is not None:
            return kind(f"{error.operation_name}: {code}")
        if status >= 500:
            return Unavailable(f"{error.operation_name}: {code} ({status})")
        return Unexpected(f"{error.operation_name}: {code}")
    if isinstance(error, _UNCONFIGURED):
        return Refused(Cause.AWS_DENIED, seen=str(error))
    if isinstance(error, HTTPClientError | BotocoreConnectionError):
        return Unavailable(type(error).__name__)
    return Unexpected(type(error).__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our error in place of botocore's, without its text: that may quote what was sent."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error) from None
