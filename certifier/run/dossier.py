"""Everything that the steps of one run have left behind, as one typed value."""

from collections.abc import Mapping

from certifier.certificate.facts import Leaf
from certifier.evidence import SlotFacts
from certifier.models import Fact, Finding
from certifier.run.documents import (
    Configured,
    ConnectionTest,
    ImportedCa,
    ImportedCertificate,
    Material,
    Plan,
    Rehearsal,
    TaskWork,
    UndoLog,
)
from certifier.run.state import Pause


class Dossier(Fact):
    """Everything that the steps of one run have left behind; ``None``: the step left nothing.

    Attributes:
        probe_findings: of the probe, as lenient as the source asks.
        refusals: of the steps that refused, in the order of the workflow.
        undo, undo_run: the undo log as it is now, and the execution that wrote it.
        pauses: of the tasks that we stopped for this source and that do not run again.
        slots, slots_again: the server's replication slots as the probe saw them, and after the
            tasks were resumed.
        canary_left: the identifier of a canary endpoint that could not be deleted.
        new_anchors: names of CAs in the bundle, or on the endpoint, that were never there before.
        acm_leaf: what ACM holds for the source, when the source has a pair.
    """

    material: Material | None = None
    probe_findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    imported_ca: ImportedCa | None = None
    rehearsal: Rehearsal | None = None
    paused: TaskWork | None = None
    applied: Configured | None = None
    rolled_back: Configured | None = None
    tested_new: ConnectionTest | None = None
    tested_old: ConnectionTest | None = None
    resumed: TaskWork | None = None
    acm: ImportedCertificate | None = None
    refusals: tuple[Finding, ...] = ()
    undo: UndoLog | None = None
    undo_run: str | None = None
    pauses: tuple[Pause, ...] = ()
    slots: tuple[SlotFacts, ...] | None = None
    slots_again: tuple[SlotFacts, ...] | None = None
    canary_left: str | None = None
    new_anchors: tuple[str, ...] = ()
    acm_leaf: Leaf | None = None

    @property
    def owed(self) -> tuple[str, ...]:
        """Return the ARNs of the tasks that do not run again."""
        return tuple(pause.task_arn for pause in self.pauses)

    @property
    def stopped_tasks(self) -> bool:
        """Whether this run has stopped tasks, or kept them from being started."""
        return self.paused is not None and bool(self.paused.tasks)

    @property
    def retained_before(self) -> Mapping[str, int]:
        """Return how much WAL each slot kept when the first of the owed tasks was to be stopped."""
        kept: dict[str, int] = {}
        for pause in sorted(self.pauses, key=lambda pause: pause.since):
            kept = {**pause.retained, **kept}
        return kept

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what all steps found, in the order of the workflow, each finding once."""
        change = (
            self.plan,
            self.imported_ca,
            self.rehearsal,
            self.paused,
            self.applied,
            self.tested_new,
        )
        after = (self.rolled_back, self.tested_old, self.resumed, self.acm)
        found = list(self.material.findings) if self.material else []
        found += self.probe_findings
        found += [f for doc in change if doc for f in doc.findings]
        found += self.refusals  # why it ended, before what came of putting it back
        found += [f for doc in after if doc for f in doc.findings]
        return tuple(dict.fromkeys(found))

    @property
    def finishes_another(self) -> bool:
        """Whether this run only proved or put back what an earlier one had begun."""
        return self.undo is not None and self.material is None
