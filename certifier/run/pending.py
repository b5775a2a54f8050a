"""A notice that waits for the end of its execution (``certifier.run.digest``)."""

from collections.abc import Mapping
from datetime import datetime

from certifier.models import Fact, Finding
from certifier.run.state import SourceState
from certifier.run.weakening import is_event
from certifier.vocabulary import Outcome


class OnceSent(Fact):
    """What the table remembers of a source once people have been notified.

    A field that is ``None`` stays as it is; an empty one is removed.
    """

    notified: Mapping[str, datetime] = {}
    anchors: tuple[str, ...] | None = None
    anchors_left: Mapping[str, datetime] | None = None
    events: tuple[str, ...] | None = None

    def is_remembered(self, state: SourceState) -> bool:
        """Whether the table has all of it already."""
        return all(getattr(state, name) == value for name, value in self if value is not None)


class Pending(Fact):
    """A notice that waits for the end of its execution.

    Attributes:
        name, run: the source, and its child execution.
        findings: what the mail is about, the weightiest first; empty when it is over.
        host: with its port; ``endpoint``: the identifier.
        next_due: when the source is due again.
    """

    name: str
    run: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    host: str
    endpoint: str
    next_due: datetime | None = None
    subject: str
    message: str
    once_sent: OnceSent

    @property
    def lead(self) -> Finding | None:
        """The finding that the mail is about."""
        return self.findings[0] if self.findings else None

    @property
    def events(self) -> tuple[Finding, ...]:
        """The findings that are remembered as notified by their content."""
        return tuple(found for found in self.findings if is_event(found))
