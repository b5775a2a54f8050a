"""What a run would do, or will do once its window opens: each field from and to, and its tasks.

Kept in the record of a plan, and of a change that waits. Pure: from what the run has read already.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from certifier.certificate import CertificateFacts
from certifier.endpoint.fields import equal
from certifier.models import Fact, errors_in
from certifier.run.documents import Change, Material, Plan
from certifier.run.dossier import Dossier, facts_in
from certifier.run.plan import CERTIFICATE
from certifier.source import Source


class Would(StrEnum):
    """What a run would come to, as far as a plan can see."""

    CHANGE = "change"
    CREATE = "create"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Ca(Fact):
    """A CA as people compare it. ``until``: its last valid second."""

    subject: str
    sha256: str
    until: datetime | None = None


class IntendedChange(Fact):
    """One field, from and to. ``old_cas``, ``new_cas``: what the bundles behind digests hold.

    ``reversible``: whether it can be rolled back if DMS does not connect.
    """

    field: str
    old: str | None
    new: str | None
    old_cas: tuple[Ca, ...] = ()
    new_cas: tuple[Ca, ...] = ()
    reversible: bool = True


class TaskToStop(Fact):
    """A running task that is stopped for the change, and started after it."""

    arn: str
    identifier: str
    migration_type: str
    status: str


class AcmImport(Fact):
    """SHA-256 of the certificate that is imported into ACM, and of the one that it replaces."""

    old: str | None
    new: str


class Intent(Fact):
    """What a run would do.

    Attributes:
        kept: fields that the source names and that are right already.
        stops: the running tasks that would be stopped.
        restart_tasks: when they may be: a weekly window, or ``True``; ``None``: none must stop.
        opens_at: when the window opens; ``None``: a run may begin at once.
        rehearsed_from: ARNs of the replication instances from which DMS tries it with a canary.
        rolls_back: the fields that are rolled back if DMS does not connect afterwards.
    """

    would: Would
    changes: tuple[IntendedChange, ...] = ()
    kept: Mapping[str, str] = {}
    acm: AcmImport | None = None
    stops: tuple[TaskToStop, ...] = ()
    restart_tasks: bool | str | None = None
    opens_at: datetime | None = None
    rehearsed_from: tuple[str, ...] = ()
    rolls_back: tuple[str, ...] = ()

    @property
    def changes_anything(self) -> bool:
        """Whether a run would write anything to DMS or ACM."""
        return self.would is not Would.REFUSED and bool(self.changes or self.acm)


def intent(source: Source, dossier: Dossier, *, refused: bool) -> Intent:
    """Return what the run would do.

    Args:
        refused: the run ended as refused: it would, again.
    """
    plan, material = dossier.plan, dossier.material or Material()
    if plan is None:
        return Intent(would=Would.REFUSED)
    changes = tuple(_intended(change, plan, material) for change in plan.changes)
    acm = _acm(dossier, material)
    stops = tuple(
        TaskToStop(
            arn=task.arn,
            identifier=task.identifier,
            migration_type=task.migration_type,
            status=task.status,
        )
        for task in plan.running
    )
    return Intent(
        would=_would(plan, changed=bool(changes or acm), refused=refused),
        changes=changes,
        kept=_kept(plan, material),
        acm=acm,
        stops=stops if changes else (),
        restart_tasks=source.restart_tasks if stops and changes else None,
        opens_at=plan.opens_at,
        rehearsed_from=plan.instances if changes else (),
        rolls_back=tuple(c.field for c in changes if c.reversible) if not plan.create else (),
    )


def _would(plan: Plan, *, changed: bool, refused: bool) -> Would:
    if refused or errors_in(plan.findings):
        return Would.REFUSED
    if not changed:
        return Would.UNCHANGED
    return Would.CREATE if plan.create else Would.CHANGE


def _intended(change: Change, plan: Plan, material: Material) -> IntendedChange:
    old_cas, new_cas = cas_of(plan, material) if change.field == CERTIFICATE else ((), ())
    return IntendedChange(
        field=change.field,
        old=change.old,
        new=change.new,
        old_cas=old_cas,
        new_cas=new_cas,
        reversible=change.reversible,
    )


def cas_of(plan: Plan, material: Material) -> tuple[tuple[Ca, ...], tuple[Ca, ...]]:
    """Return the CAs that the endpoint trusts, and those that it is to trust."""
    trusted = material.trusted
    return _cas(facts_in(trusted.pem if trusted else None)), _cas(facts_in(plan.desired_pem))


def _cas(facts: Iterable[CertificateFacts]) -> tuple[Ca, ...]:
    return tuple(Ca(subject=f.title, sha256=f.sha256, until=f.not_after) for f in facts)


def _kept(plan: Plan, material: Material) -> dict[str, str]:
    """Return the fields that stay, the mode first; none of an endpoint that does not exist."""
    endpoint = material.endpoint
    if endpoint is None:
        return {}
    changed = {change.field for change in plan.changes}
    now = {"ssl_mode": "none", **endpoint.fields.given()}
    wanted = plan.target.given()
    kept = {
        name: str(value)
        for name, value in wanted.items()
        if name not in changed and name != "certificate_arn" and equal(name, now.get(name), value)
    }
    if CERTIFICATE not in changed and plan.desired_pem is not None:
        kept[CERTIFICATE] = ", ".join(ca.subject for ca in _cas(facts_in(plan.desired_pem)))
    return {name: kept[name] for name in ("ssl_mode", CERTIFICATE, *kept) if name in kept}


def _acm(dossier: Dossier, material: Material) -> AcmImport | None:
    """Return what is imported into ACM: a pair that it does not hold yet."""
    if material.leaf_sha256 is None or material.leaf_pem is None:
        return None
    old = dossier.acm_leaf.sha256 if dossier.acm_leaf else None
    return None if old == material.leaf_sha256 else AcmImport(old=old, new=material.leaf_sha256)
