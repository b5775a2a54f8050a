"""Everything that the steps of one run have left behind, as one typed value."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.facts import Leaf
from certifier.endpoint.facts import Endpoint
from certifier.evidence import SlotFacts
from certifier.models import Fact, Finding
from certifier.run.documents import (
    ACM_COPY,
    CONFIGURED,
    IMPORTED_CA,
    LEFT_BY,
    MATERIAL,
    PAUSED,
    PLAN,
    PROBED,
    REHEARSAL,
    RESUMED,
    ROLLED_BACK,
    SLOTS_AFTER,
    TESTED_NEW,
    TESTED_OLD,
    Configured,
    ConnectionTest,
    Document,
    ImportedCa,
    ImportedCertificate,
    Material,
    Plan,
    Probed,
    Rehearsal,
    SlotsAfter,
    StoppedTask,
    TaskWork,
    UndoLog,
    refusal_of,
)
from certifier.run.public_trust import settled
from certifier.run.state import Pause

F = TypeVar("F", bound=Fact)


class Dossier(Fact):
    """Everything that the steps of one run have left behind; ``None``: the step left nothing.

    Attributes:
        refusals: of the steps that refused, in the order of the workflow.
        undo, undo_run: the undo log as it is now, and the execution that wrote it.
        undo_before: the endpoint of that log as it was read before the change; ``None`` when that
            is gone, or is not the source's.
        pauses: of the tasks that we stopped for this source and that do not run again.
        others_pauses: of tasks on this endpoint that we stopped for other sources, none of which is
            at work.
        canary_left: the identifier of a canary endpoint that could not be deleted.
        new_anchors: names of CAs in the bundle, or on the endpoint, that were never there before.
        acm_leaf: what ACM holds for the source, when the source has a pair.
        lives_in_acm: the intended certificate lives in ACM itself, so nothing is imported.
    """

    material: Material | None = None
    probed: Probed | None = None
    plan: Plan | None = None
    imported_ca: ImportedCa | None = None
    rehearsal: Rehearsal | None = None
    paused: TaskWork | None = None
    applied: Configured | None = None
    rolled_back: Configured | None = None
    tested_new: ConnectionTest | None = None
    tested_old: ConnectionTest | None = None
    resumed: TaskWork | None = None
    slots_after: SlotsAfter | None = None
    acm: ImportedCertificate | None = None
    refusals: tuple[Finding, ...] = ()
    undo: UndoLog | None = None
    undo_run: str | None = None
    undo_before: Endpoint | None = None
    pauses: tuple[Pause, ...] = ()
    others_pauses: tuple[Pause, ...] = ()
    canary_left: str | None = None
    new_anchors: tuple[str, ...] = ()
    acm_leaf: Leaf | None = None
    lives_in_acm: bool = False

    @property
    def pending_restarts(self) -> tuple[str, ...]:
        """Return the ARNs of the tasks that do not run again."""
        return tuple(pause.task_arn for pause in self.pauses)

    @property
    def stopped(self) -> tuple[StoppedTask, ...]:
        """Return the same tasks with what Resume tasks saw of them, the longest stopped first."""
        seen = {task.arn: task for task in self.resumed.stopped} if self.resumed else {}
        tasks = (
            seen.get(pause.task_arn)
            or StoppedTask(
                arn=pause.task_arn,
                identifier=pause.name,
                since=pause.stop_date or pause.since,
            )
            for pause in self.pauses
        )
        return tuple(sorted(tasks, key=lambda task: (task.since, task.arn)))

    @property
    def slots(self) -> tuple[SlotFacts, ...] | None:
        """Return the server's replication slots as the last login of this run saw them."""
        if self.slots_after is not None and self.slots_after.slots is not None:
            return self.slots_after.slots
        return self.probed.slots if self.probed else None

    @property
    def final_endpoint(self) -> Endpoint | None:
        """Return the endpoint as the run left it, as far as it was described."""
        for done in (self.rolled_back, self.applied, self.material):
            if done is not None and done.endpoint is not None:
                return done.endpoint
        return None

    @property
    def change(self) -> str | None:
        """Return what was changed, or would have been, as ``Plan.change`` says it."""
        if self.undo is not None:
            return self.undo.change
        return self.plan.change if self.plan else None

    @property
    def stopped_tasks(self) -> bool:
        """Whether this run has stopped tasks, or kept them from being started."""
        return self.paused is not None and bool(self.paused.tasks)

    @property
    def retained_before(self) -> Mapping[str, int]:
        """Return the WAL of each slot before the first pause whose task does not run again yet."""
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
        found += self.probed.findings if self.probed else ()
        found += [f for doc in change if doc for f in doc.findings]
        found += self.refusals  # why it ended, before what came of rolling back
        found += [f for doc in after if doc for f in doc.findings]
        return tuple(dict.fromkeys(found))

    @property
    def finishes_another(self) -> bool:
        """Whether this run only proved or rolled back what an earlier one had begun."""
        return self.undo is not None and self.material is None


class Read(Protocol):
    """Reads one document of the run; ``None``: its step has not written it."""

    def __call__(self, document: Document[F], /) -> F | None: ...


def gathered(
    read: Read,
    *,
    undo: UndoLog | None,
    undo_run: str | None,
    undo_before: Endpoint | None = None,
    pauses: tuple[Pause, ...],
    others_pauses: tuple[Pause, ...] = (),
    canary_left: str | None,
    known_anchors: tuple[str, ...],
    acm_leaf: Leaf | None,
    lives_in_acm: bool = False,
) -> Dossier:
    """Return the dossier of a run: its documents, and what the table holds of it.

    Args:
        known_anchors: fingerprints of the CAs that earlier runs have seen; empty: none has run,
            and what an adopted endpoint trusts is what was there before.
    """
    probed = read(PROBED)
    material = settled(read(MATERIAL), probed)
    refusals = (read(refusal_of(step)) for step in LEFT_BY)
    trusted = material.trusted if material else None
    known = known_anchors or tuple(
        facts.sha256 for facts in facts_in(trusted.pem if trusted else None)
    )
    return Dossier(
        material=material,
        probed=probed,
        plan=read(PLAN),
        imported_ca=read(IMPORTED_CA),
        rehearsal=read(REHEARSAL),
        paused=read(PAUSED),
        applied=read(CONFIGURED),
        rolled_back=read(ROLLED_BACK),
        tested_new=read(TESTED_NEW),
        tested_old=read(TESTED_OLD),
        resumed=read(RESUMED),
        slots_after=read(SLOTS_AFTER),
        acm=read(ACM_COPY),
        refusals=tuple(f for refusal in refusals if refusal for f in refusal.findings),
        undo=undo,
        undo_run=undo_run,
        undo_before=undo_before,
        pauses=pauses,
        others_pauses=others_pauses,
        canary_left=canary_left,
        new_anchors=tuple(
            dict.fromkeys(  # one that is in the bundle and on the endpoint is one
                f"{facts.title} (SHA-256 {facts.sha256})"
                for facts in trusted_facts(material)
                if known and facts.sha256 not in known
            )
        ),
        acm_leaf=acm_leaf,
        lives_in_acm=lives_in_acm,
    )


def trusted_facts(material: Material | None) -> Iterator[CertificateFacts]:
    """Yield every CA that the source's bundle holds, or the endpoint."""
    if material is not None:
        yield from facts_in(material.bundle_pem)
        yield from facts_in(material.trusted.pem if material.trusted else None)


def facts_in(pem: str | None) -> Iterator[CertificateFacts]:
    """Yield what every certificate of a bundle says."""
    for der in certificates_in(pem or ""):
        yield certificate_facts(der)
