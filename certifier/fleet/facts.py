"""What the page is made of, as it was read of one or several installations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from certifier.fleet.digest import CertificateDigest, Digest
from certifier.run.state import Breaker, Pause, SourceState
from certifier.source import Source
from certifier.text import name_in


@dataclass(frozen=True)
class SourceFacts:
    """A registered source.

    ``spec``: None when this version does not read what was registered. ``has_log``: an undo log is
    there, of a change that is neither proven nor rolled back. ``pauses``: the tasks that are
    stopped for it and do not run again.
    """

    name: str
    spec: Source | None
    version: int
    state: SourceState
    digest: Digest | None = None
    has_log: bool = False
    pauses: tuple[Pause, ...] = ()

    @property
    def stopped(self) -> tuple[Pause, ...]:
        """The tasks that a run has stopped, without those that wait for a restart."""
        waiting = self.state.pending_restarts
        return tuple(pause for pause in self.pauses if pause.task_arn not in waiting)

    def name_of(self, task: str) -> str:
        """Return what people call a task, given its ARN, or the end of that."""
        names = {pause.task_arn: pause.name for pause in self.pauses}
        return names.get(task, name_in(task))


@dataclass(frozen=True)
class InstallationFacts:
    """One installation, as it was read.

    Attributes:
        label: what to call it, e.g. ``Certifier · eu-west-1 · 111122223333``.
        record_url: the address of a record, given its key without the suffix.
        finished_at: when its last execution that had something to do was finished.
        report: the key of that execution's report, as ``record_url`` takes it.
        unread: records that there was no time to read.
        abandoned: ARNs of tasks that we stopped and that no run will start again: no registered
            source waits for them, or this version cannot read why they were stopped.
        problem: why nothing of it could be read.
    """

    label: str
    record_url: Callable[[str], str]
    sources: tuple[SourceFacts, ...] = ()
    bundles: Mapping[str, tuple[CertificateDigest, ...]] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    finished_at: datetime | None = None
    report: str | None = None
    unread: int = 0
    abandoned: tuple[str, ...] = ()
    problem: str = ""
