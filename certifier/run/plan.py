"""What must change on an endpoint, and what must not: a pure decision over values.

``plan_endpoint`` compares the endpoint as DMS describes it with the source; an empty plan *is* the
definition of "up to date". ``plan_tasks`` then says what the running tasks mean for a change.
Errors are collected, never raised: the step refuses once, with all of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from certifier.certificate import certificates_in
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields, ReplicationTask
from certifier.endpoint.fields import equal
from certifier.identity import same_role, same_secret
from certifier.models import Finding, errors_in
from certifier.run.documents import (
    Change,
    ImportedCa,
    Material,
    Plan,
    Served,
    Trusted,
    Union,
)
from certifier.source import CredentialsMode, Source
from certifier.vocabulary import Cause, Decision, Severity, SslMode, Witness
from certifier.window import Window

CERTIFICATE = "certificate"
PASSWORD = "password"

FIGHTS_BEFORE_WARNING = 2


def _found(cause: Cause, seen: str, severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.PLAN, seen=seen, severity=severity)


@dataclass(frozen=True)
class Trust:
    """The CAs that the endpoint is to trust. ``pem`` is ``None``: leave them alone."""

    pem: str | None = None
    digest: str | None = None
    overlap: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Known:
    """What earlier runs remember of the source.

    Attributes:
        endpoint_arn: of the endpoint that we certified or created before.
        password_version: VersionId of the password that we last set on the endpoint.
        password_doubted: DMS's last test with that password failed on it, and it was not set once
            more since. There is no reading it back.
        certified, certified_digest: the fields that we last proved, and the CAs among them.
        reverted: how often somebody else has changed them back since.
    """

    endpoint_arn: str | None = None
    password_version: str | None = None
    password_doubted: bool = False
    certified: EndpointFields | None = None
    certified_digest: str | None = None
    reverted: int = 0


@dataclass(frozen=True)
class EndpointPlan:
    """What the endpoint needs, before anybody has looked at its tasks.

    Attributes:
        shrinks: CAs that are no longer needed would be dropped.
        grows: roots of the set that the source names would be added.
        may_wait: nothing else would change, and DMS connects without it: what the endpoint trusts
            now is enough for the served chain. No drop may wait that the source wants at once.
        reverted: how often others have changed back what we had proven, this time included.
    """

    create: bool
    target: EndpointFields
    trust: Trust
    changes: tuple[Change, ...]
    shrinks: bool
    grows: bool
    may_wait: bool
    reverted: int
    findings: tuple[Finding, ...]


def desired_trust(
    source: Source,
    material: Material,
    served: Served,
    union: Union | None,
    *,
    not_dropped: str | None = None,
) -> Trust:
    """Return the CAs that the endpoint is to trust, so that no anchor is dropped while needed.

    The source's bundle, if the served chain verifies against it alone or the source forbids
    overlap; otherwise the bundle and what the endpoint trusts now. Without a served chain: both.

    Args:
        union: the bundle, with what the endpoint trusts, and what a node needs again.
        not_dropped: why both stay, although the chain that was served verifies against the bundle
            (``shrink.why_not_dropped``).
    """
    trusted = material.trusted
    if not source.ssl_mode.verifies or material.bundle_pem is None:
        return Trust()
    bundle = Trust(material.bundle_pem, material.bundle_digest)
    if trusted is None or union is None or not source.ca_overlap:
        return bundle
    if served.seen and served.by_bundle and not_dropped is None:
        return bundle
    if union.digest == material.bundle_digest:
        return bundle  # what the endpoint trusts besides has had its time
    if served.seen and not (served.by_bundle or served.by_union):
        return bundle  # the probe has refused already: neither would verify
    why = not_dropped or (
        "the server still serves a certificate that verifies only against the old CA"
        if served.seen
        else "no served chain was seen, so nothing proves that the old CA is no longer needed"
    )
    pending = _found(Cause.OVERLAP_PENDING, f"old and new CA are both trusted for now: {why}")
    return Trust(union.pem, union.digest, overlap=True, findings=(pending,))


def _target(
    source: Source, endpoint: Endpoint | None, material: Material, role: str
) -> EndpointFields:
    """Return the fields that are ours, as the source wants them; the certificate aside."""
    now = endpoint.fields if endpoint else EndpointFields()
    plain = {
        "server_name": source.host,
        "port": source.port,
    }
    ours: dict[str, object] = {"ssl_mode": source.ssl_mode, "database_name": source.database}
    if source.credentials is None:
        if now.secret_id is None:  # with a secret, host and port are the secret's business
            ours |= plain
    elif source.credentials_mode is CredentialsMode.INLINE:
        ours |= plain | {"username": material.username}
    else:
        kept = now.secret_id is not None and same_secret(now.secret_id, source.credentials)
        ours |= {
            "secret_id": source.credentials,
            "secret_role_arn": now.secret_role_arn if kept else role,
        }
    return EndpointFields.model_validate(ours)


def _identity(source: Source, endpoint: Endpoint | None, known: Known) -> list[Finding]:
    """Return why this endpoint is not one that we may touch."""
    found: list[Finding] = []
    if endpoint is None:
        if known.endpoint_arn is not None or source.endpoint.startswith("arn:"):
            gone = known.endpoint_arn or source.endpoint
            ever = "any more" if known.endpoint_arn else "in this account and Region"
            found.append(_found(Cause.ENDPOINT_GONE, f"DMS has no endpoint {gone} {ever}"))
        else:
            missing = [n for n in ("database", "credentials") if getattr(source, n) is None]
            if missing:
                seen = f"to create endpoint {source.endpoint}, the source needs " + " and ".join(
                    missing
                )
                found.append(_found(Cause.SOURCE_INVALID, seen))
        return found
    name = endpoint.identifier
    if endpoint.read_only:
        found.append(
            _found(Cause.ENDPOINT_READ_ONLY, f"{name} is managed by a zero-ETL integration")
        )
    if endpoint.engine != source.engine:
        seen = f"the engine of {name} is {endpoint.engine}, the source says {source.engine}"
        found.append(_found(Cause.ENGINE_MISMATCH, seen))
    if endpoint.endpoint_type != source.endpoint_type:
        seen = (
            f"{name} is a {endpoint.endpoint_type} endpoint, the source says {source.endpoint_type}"
        )
        found.append(_found(Cause.NEEDS_REPLACEMENT, seen))
    if endpoint.authentication == "iam":
        found.append(
            _found(Cause.IAM_AUTHENTICATION, f"{name} logs in with IAM, not with a password")
        )
    return found


def _changes(
    target: EndpointFields, endpoint: Endpoint | None, role: str, owns_password: bool
) -> list[Change]:
    """Return the fields that differ. A change that DMS cannot take back is not reversible."""
    now = endpoint.fields if endpoint else EndpointFields()
    old = {"ssl_mode": SslMode.NONE, **now.given()} if endpoint else {}
    changes = []
    for name, wanted in target.given().items():
        had = old.get(name)
        if equal(name, had, wanted):
            continue
        # DMS merges what it is sent: a field that had no value cannot be emptied again.
        reversible = endpoint is None or had is not None
        if name in ("secret_id", "secret_role_arn") and endpoint is not None:
            ours = now.secret_role_arn is not None and same_role(now.secret_role_arn, role)
            reversible = reversible and ours
        if name == "username":
            reversible = reversible and owns_password
        changes.append(
            Change(
                field=name,
                old=None if had is None else str(had),
                new=str(wanted),
                reversible=reversible,
            )
        )
    return changes


def plan_endpoint(
    source: Source,
    material: Material,
    trust: Trust,
    known: Known,
    *,
    role: str,
    union: Union | None = None,
    anchor: str | None = None,
    seen: bool = True,
) -> EndpointPlan:
    """Return the smallest set of changes between the endpoint as it is and its target.

    Args:
        trust: the CAs that it is to trust, from :func:`desired_trust`.
        role: ARN of the role through which DMS reads secrets, for an endpoint that refers to one.
        union: the bundle, with what the endpoint trusts; separates a shrink from a switch.
        anchor: SHA-256 of the root that the served chain ends in; ``None``: not seen.
        seen: a served chain was seen at all.
    """
    endpoint, trusted = material.endpoint, material.trusted
    findings = [*_identity(source, endpoint, known), *trust.findings]
    target = _target(source, endpoint, material, role)
    inline = source.credentials_mode is CredentialsMode.INLINE and source.credentials is not None
    owns_password = inline and known.password_version is not None
    changes = _changes(target, endpoint, role, owns_password)
    trusted_digest = trusted.digest if trusted else None
    if trust.digest is not None and trust.digest != trusted_digest:
        changes.append(Change(field=CERTIFICATE, old=trusted_digest, new=trust.digest))
    elif trusted is not None and trust.digest is not None:
        target = target.model_copy(update={"certificate_arn": trusted.arn})
    if inline and _password_is_old(known, material):
        changes.append(
            Change(
                field=PASSWORD,
                old=known.password_version,
                new=material.versions.credentials,
                reversible=endpoint is None or owns_password,
            )
        )
    if endpoint is not None:
        findings += _permissions(source, endpoint, changes)
    reverted = known.reverted + (1 if _was_reverted(known, target, trust, changes) else 0)
    if reverted >= FIGHTS_BEFORE_WARNING:
        findings.append(_reverted_by_others(reverted, changes))
    of_trust_alone = [change.field for change in changes] == [CERTIFICATE]
    moves = _moves(trusted, trust) if of_trust_alone else _Moves()
    only_drops = (
        of_trust_alone
        and trusted is not None
        and union is not None
        and union.digest == trusted.digest
    )
    return EndpointPlan(
        create=endpoint is None,
        target=target,
        trust=trust,
        changes=tuple(changes),
        shrinks=only_drops or bool(moves.drops),
        grows=bool(moves.adds),
        may_wait=(only_drops or (material.named and moves.may_wait(anchor, seen=seen)))
        # Without overlap a CA goes at once, since it may be compromised.
        and (source.ca_overlap or not (only_drops or moves.drops)),
        reverted=reverted,
        findings=tuple(findings),
    )


@dataclass(frozen=True)
class _Moves:
    """The SHA-256 of the CAs that the endpoint would trust besides, no longer, and still."""

    adds: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    stays: frozenset[str] = frozenset()

    def may_wait(self, anchor: str | None, *, seen: bool) -> bool:
        """Whether the endpoint trusts now what it needs, and would go on to.

        Where no served chain was seen, DMS's own test of the endpoint as it is shows that.
        """
        return anchor in self.stays if seen else bool(self.stays) and not self.drops


def _moves(trusted: Trusted | None, trust: Trust) -> _Moves:
    now, wanted = _hashes(trusted.pem if trusted else None), _hashes(trust.pem)
    return _Moves(wanted - now, now - wanted, wanted & now)


def _hashes(pem: str | None) -> frozenset[str]:
    return frozenset(hashlib.sha256(der).hexdigest() for der in certificates_in(pem or ""))


def _permissions(source: Source, endpoint: Endpoint, changes: Iterable[Change]) -> list[Finding]:
    """Return the changes that the source would have to allow, and does not."""
    found = []
    now = endpoint.fields.ssl_mode or SslMode.NONE
    if source.ssl_mode.strength < now.strength and not source.allow_downgrade:
        wanted = source.ssl_mode.value
        seen = f"{endpoint.identifier} has ssl_mode {now.value}, the source asks for only {wanted}"
        found.append(_found(Cause.WOULD_WEAKEN, seen))
    stuck = [change.field for change in changes if not change.reversible]
    if stuck and not source.allow_irreversible:
        why = _why_irreversible(endpoint, stuck)
        seen = f"a change of {', '.join(stuck)} on {endpoint.identifier} could not be rolled back"
        found.append(_found(Cause.IRREVERSIBLE, f"{seen}: {why}"))
    return found


def _why_irreversible(endpoint: Endpoint, stuck: list[str]) -> str:
    """Return why: what the endpoint has now could not be given back to it."""
    now = endpoint.fields
    to_secret, password = "secret_id" in stuck or "secret_role_arn" in stuck, PASSWORD in stuck
    if now.secret_id is None and (to_secret or password):
        return "it logs in with a password that nobody can read"
    if to_secret:
        return f"it reads its secret through the role {now.secret_role_arn}, which is not ours"
    if password:
        return f"it reads its login from {now.secret_id}, which a login of its own replaces"
    return "DMS cannot empty a field that has a value"


def _password_is_old(known: Known, material: Material) -> bool:
    """Whether the endpoint may have another password than the secret has now."""
    return known.password_doubted or known.password_version != material.versions.credentials


def _reverted_by_others(times: int, changes: Iterable[Change]) -> Finding:
    names = ", ".join(change.field for change in changes) or "nothing this time"
    return _found(
        Cause.REVERTED_BY_OTHERS,
        f"somebody else has changed this endpoint back {times} times ({names})",
    )


def _was_reverted(
    known: Known, target: EndpointFields, trust: Trust, changes: Iterable[Change]
) -> bool:
    """Whether what must change now is what we had already proven: somebody changed it back."""
    if known.certified is None:
        return False
    proven = known.certified.given()
    for change in changes:
        if change.field == CERTIFICATE:
            if known.certified_digest == trust.digest:
                return True
        elif change.field != PASSWORD and proven.get(change.field) == target.given().get(
            change.field
        ):
            return True
    return False


@dataclass(frozen=True)
class TaskPlan:
    """What the tasks on the endpoint mean for the change."""

    decision: Decision
    running: tuple[ReplicationTask, ...] = ()
    opens_at: datetime | None = None
    findings: tuple[Finding, ...] = ()


RUNNING = frozenset({"running", "starting"})
PASSING = frozenset({"starting", "testing", "modifying", "moving", "creating", "stopping"})
"""Task states that end by themselves: Pause tasks waits for them."""


def plan_tasks(
    source: Source,
    plan: EndpointPlan,
    tasks: Iterable[ReplicationTask],
    serverless: Iterable[str],
    now: datetime,
) -> TaskPlan:
    """Return whether the change may be made now, given what runs on the endpoint.

    Running tasks must stop for a change; without permission to stop them the change is refused, or
    waits for its window. A change of trust that DMS connects without waits quietly instead.
    """
    if errors_in(plan.findings) or not plan.changes:
        return TaskPlan(Decision.UNCHANGED)
    configs = tuple(serverless)
    running = tuple(task for task in tasks if task.status in RUNNING)
    names = ", ".join(task.identifier for task in running)
    window = source.window
    closed = window is not None and not window.may_begin(now)
    may_stop = window is not None or source.restart_tasks is True
    loading = ", ".join(task.identifier for task in running if task.full_load)
    if plan.may_wait and (configs or loading or (running and (closed or not may_stop))):
        waits = _of_trust_that_waits(plan, names or ", ".join(configs))
        opens = window.next_opening(now) if window is not None and closed and not configs else None
        return TaskPlan(Decision.UNCHANGED, opens_at=opens, findings=waits)
    findings = []
    if configs:
        findings.append(
            _found(
                Cause.SERVERLESS_REPLICATION,
                f"serverless replications use it: {', '.join(configs)}",
            )
        )
    if running and not may_stop:
        findings.append(
            _found(Cause.TASKS_RUNNING, f"the change needs these tasks to stop: {names}")
        )
        findings += _of_old_password(plan.changes, names, Severity.ERROR)
    if loading and may_stop and not closed:
        findings.append(_found(Cause.TASK_IN_FULL_LOAD, f"a full load is under way: {loading}"))
    if findings:
        return TaskPlan(Decision.CHANGE, running, findings=tuple(findings))
    return until_window(source, plan.changes, running, now) or TaskPlan(Decision.CHANGE, running)


def _of_trust_that_waits(plan: EndpointPlan, who: str) -> tuple[Finding, ...]:
    """Return what of the trust stays as it is while those run."""
    grows = _found(Cause.GROWTH_WAITS, f"more roots are not added while {who} runs")
    shrinks = _found(Cause.SHRINK_WAITS, f"the old CA stays trusted while {who} runs")
    return (*((grows,) if plan.grows else ()), *((shrinks,) if plan.shrinks else ()))


def until_window(
    source: Source, changes: Iterable[Change], running: tuple[ReplicationTask, ...], now: datetime
) -> TaskPlan | None:
    """Return the plan that waits for its window; ``None``: it may go on, or nothing must stop."""
    window = source.window
    if not running or window is None or window.may_begin(now):
        return None
    return waiting(window, changes, running, now)


def waiting(
    window: Window,
    changes: Iterable[Change],
    running: tuple[ReplicationTask, ...],
    now: datetime,
) -> TaskPlan:
    """Return the plan of a change whose running tasks may not stop before the next opening."""
    names = ", ".join(task.identifier for task in running)
    opens = window.next_opening(now)
    waits = _found(Cause.WINDOW_CLOSED, f"{names} may stop again from {opens:%Y-%m-%d %H:%M} UTC")
    old = _of_old_password(changes, names, Severity.WARNING)
    return TaskPlan(Decision.PLANNED, running, opens_at=opens, findings=(waits, *old))


def _of_old_password(
    changes: Iterable[Change], names: str, severity: Severity
) -> tuple[Finding, ...]:
    """Return what a new password means for tasks that run on with the connections they have."""
    fields = {change.field for change in changes}
    if PASSWORD not in fields:
        return ()
    # With two users in turn, the one before goes on working until it is its turn again.
    until = " once that user's password is changed, too" if "username" in fields else ""
    seen = f"the endpoint holds the old password, with which {names} cannot start again{until}"
    return (_found(Cause.ENDPOINT_HOLDS_OLD_PASSWORD, seen, severity),)


def backing_off(
    plan: Plan, bad_change: str | None, change_after: datetime | None, now: datetime
) -> Plan:
    """Return the plan as one that waits, while it is the change that ended badly a while ago.

    Another change, with other material or another spec, may be what helps: it does not wait.
    """
    waits = change_after is not None and now < change_after and plan.change == bad_change
    if plan.decision is not Decision.CHANGE or not waits or change_after is None:
        return plan
    seen = f"it ended badly before, and is not made again until {change_after:%Y-%m-%d %H:%M} UTC"
    found = {
        "decision": Decision.PLANNED,
        "findings": (*plan.findings, _found(Cause.CHANGE_BACKS_OFF, seen)),
    }
    return plan.model_copy(update=found)


def new_fields(plan: Plan, imported: ImportedCa | None) -> EndpointFields:
    """Return every field that is ours with its target value: the plan's, with the imported CA."""
    if imported is None or imported.certificate_arn is None:
        return plan.target
    return plan.target.model_copy(update={"certificate_arn": imported.certificate_arn})


def written_names(plan: Plan, current: EndpointFields, new: EndpointFields) -> tuple[str, ...]:
    """Return the names of the fields that must be written to get from ``current`` to ``new``."""
    return tuple(
        name
        for name, wanted in new.given().items()
        if plan.create or not equal(name, getattr(current, name), wanted)
    )
