"""Every error that Certifier raises on purpose.

::

    CertifierError
    ├── Retryable                the same call may succeed later; the machine retries with back-off
    │   ├── Throttled            the service asked us to slow down
    │   ├── Busy                 the resource is in a state that passes by itself
    │   ├── NotYetConsistent     a role, policy or resource has not propagated yet
    │   └── Unavailable          the service did not answer, or answered with its own fault
    ├── Refused                  a person must act; the findings are written before it is raised
    ├── ClaimLost                another execution owns the source now; touch nothing
    ├── InvalidEvent             what started the machine is not understood; nothing was touched
    │   └── UnreadableEvent      an event of AWS that a rule of ours has let through
    ├── InvalidSettings          the environment of a function, or the context of the app, is wrong
    └── Unexpected               a bug, or an unexpected answer; names the type alone
        └── Unreadable           an item of the table that another version of Certifier wrote

Step Functions copies the text of an error into the history, so no text here may hold a secret: it
is a cause, a resource's name, or the name of a field, never a value that came out of a secret.
ASL knows no inheritance: Retry and Catch lists are generated from :func:`concrete`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from certifier.vocabulary import Cause, Severity

if TYPE_CHECKING:
    from certifier.models import Finding


class CertifierError(Exception):
    """The root: catch it to separate our errors from bugs."""


class Retryable(CertifierError):
    """The same call may succeed later."""


class Throttled(Retryable):
    """The service answered that calls come too fast."""


class Busy(Retryable):
    """The resource is in a state that passes by itself."""


class NotYetConsistent(Retryable):
    """Something that was just made is not seen everywhere yet."""


class Unavailable(Retryable):
    """The service did not answer in time, or answered with a fault of its own."""


class Refused(CertifierError):
    """Our checks, or AWS, said no.

    The text is the first cause alone, because it enters the history. ``findings`` say everything;
    an adapter that has none gives ``seen``, one sentence, which ``lambdas/_step.py`` makes one of.
    """

    def __init__(
        self, cause: Cause, *, seen: str = "", findings: "tuple[Finding, ...]" = ()
    ) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.seen = seen
        self.findings = findings

    @classmethod
    def because(cls, *findings: "Finding") -> "Refused":
        """Return the refusal for findings, whose cause is that of the first error among them."""
        errors = (found for found in findings if found.severity is Severity.ERROR)
        first = next(errors, findings[0])
        return cls(first.cause, seen=first.seen, findings=findings)


class ClaimLost(CertifierError):
    """Another execution owns the source. ``source`` is its name."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.source = source


class InvalidEvent(CertifierError):
    """The event is not one that Select sources understands, or names what does not exist.

    ``problems`` are sentences for people, each naming the field, what is wrong, what is allowed:
    the first ``NAMED`` of them, and how many more there are. Step Functions cuts a cause off, and
    nobody reads on.
    """

    NAMED = 20

    def __init__(self, *problems: str) -> None:
        if (more := len(problems) - self.NAMED) > 0:
            problems = (*problems[: self.NAMED], f"and {more} more")
        super().__init__("; ".join(problems))
        self.problems = problems


class InvalidSettings(CertifierError):
    """Settings are missing or wrong. ``problems`` name each one, never its value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnreadableEvent(InvalidEvent):
    """An event of another service has not the shape that our rule stands for: nobody mistyped."""


class Unexpected(CertifierError):
    """An unexpected error. The text is the type's name alone: a message may hold a secret."""


class Unreadable(Unexpected):
    """An item of the table is not valid in this version of Certifier. The text names the item.

    Most often after a deployment was rolled back: the version that wrote the item can read it.
    """


LAMBDA_UNAVAILABLE = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    # Of a function in a VPC, whose network interface is not there yet (Lambda's model of Invoke).
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENILimitReachedException",
    "Lambda.ENINotReadyException",
    "Lambda.ResourceNotReadyException",
    "Lambda.SubnetIPAddressLimitReachedException",
)
"""What Step Functions calls it when Lambda itself, not our code, did not do its work."""
LAMBDA_CUT_OFF = ("Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout")
"""What Step Functions calls it when a function ended before it had answered: no memory, or no time.

Step Functions guide, "Handling errors". Older runtimes say ``Lambda.Unknown`` of both.
"""


def concrete(branch: type[CertifierError]) -> Iterator[type[CertifierError]]:
    """Yield ``branch`` and everything below it, parents first."""
    yield branch
    for child in branch.__subclasses__():
        yield from concrete(child)
