"""Probe TLS: would libpq connect, as strictly as DMS will, with the CA that DMS is to get?

The source's own CAs come first, alone (of public trust, every public root, and what is seen then
settles which of them are the source's own). Only when the served chain does not verify against
them, and the endpoint trusts another CA now, is the union of both tried: that is a renewal which
the server has not followed yet.

Called again once the tasks were resumed, it looks at the replication slots alone.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pydantic import Json

from certifier import probe
from certifier.certificate import union
from certifier.endpoint.facts import EndpointFields
from certifier.errors import Refused
from certifier.evidence import SlotFacts
from certifier.models import Finding, Policy, errors_in
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest
from certifier.run.anchors import unapproved
from certifier.run.documents import (
    MATERIAL,
    PROBED,
    SLOTS_AFTER,
    Answering,
    Material,
    NodeLook,
    Probed,
    SlotsAfter,
    slots_of,
)
from certifier.run.dossier import facts_in
from certifier.run.drift import answering, not_served_yet
from certifier.run.event import Nothing, StepEvent, run_id
from certifier.run.proposal import named_trust_fits
from certifier.run.public_trust import settled
from certifier.run.shrink import droppable, needed_again, with_dropped
from certifier.run.state import SourceState
from certifier.source import ProbePolicy, Source
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.node_looks import look_at_nodes
from certifier.vocabulary import Cause, Severity, SslMode, Stage

TIMEOUT, AGAIN = 20.0, 15.0
"""Seconds for the first probe, and for each of at most two more with other CAs: all of them, or the
first and a look at the other nodes, fit the function's limit."""


REACHING = frozenset({Stage.ADDRESS, Stage.DNS, Stage.TCP, Stage.STARTUP, Stage.LOGIN, Stage.QUERY})
"""Stages whose failures may be due to where our probe stands, or to its login."""


class ProbeSettings(StepSettings):
    """Policy for certificates, and the addresses that may be probed.

    ``new_anchor_needs_consent``: nobody logs in while a CA of the bundle waits for approval.
    """

    policy: Json[Policy]
    probe_addresses: Json[AddressPolicy]
    new_anchor_needs_consent: Json[bool]


class ProbeEvent(StepEvent):
    """``again``: the tasks were resumed, and only the replication slots are looked at."""

    again: bool = False


def run(event: ProbeEvent, context: StepContext[ProbeSettings]) -> Nothing:
    """Probe the host and write down what was seen.

    Raises:
        Refused: the probe failed in the source's mode; never by the second look.
    """
    if event.again:
        context.write(event, SLOTS_AFTER, SlotsAfter(slots=_read_slots(event, context)))
        return Nothing()
    source = event.source.spec
    material = context.read(event, MATERIAL) or Material()
    state = context.remembered(event)
    if source.probe is ProbePolicy.OFF:
        context.write(event, PROBED, Probed(union_pem=_union(source, material)))
        return Nothing()
    if context.settings.new_anchor_needs_consent:
        source = _while_anchors_wait(source, material, state)
    report = _look(
        source,
        material,
        context.roots.public_pem if material.public else material.bundle_pem,
        context,
        older=_older_clients(source, material, state),
    )
    owners = _owners(material, report, context)
    material = settled(material, Probed(public_pem=owners)) or material
    both = _union(source, material)
    second, dropped_at = None, None
    nodes: tuple[NodeLook, ...] = ()
    if _needs_old_ca(report):
        both, second, dropped_at = _with_old_cas(both, source, material, state, context)
    elif droppable(source, material) and report.verdicts.verify_ca.passed:
        request = _request(source, material, material.bundle_pem, context)
        nodes = look_at_nodes(source, request, report.evidence.addresses, context.resolve)
    counted = second or report
    probed = Probed(
        report=report,
        union_report=second,
        union_pem=both,
        public_pem=owners,
        nodes=nodes,
        dropped_at=dropped_at,
    )
    findings = _of_answering(source, material, probed, counted, state)
    findings += _asks_unsafely(source, material, context)
    if (proposal := named_trust_fits(counted, context.roots.words_for)) is not None:
        findings += (proposal,)
    probed = probed.model_copy(update={"findings": findings})
    context.write(event, PROBED, probed)
    if errors_in(findings):
        raise Refused.because(*findings)
    return Nothing()


def _while_anchors_wait(source: Source, material: Material, state: SourceState) -> Source:
    """Return the source without a login, where a CA of its bundle waits for approval.

    On its word alone a server would count as verified, and could ask for the password in clear
    text: whoever can write the bundle, and answer in the server's place, would learn it.
    """
    if not unapproved(source, facts_in(material.bundle_pem), state):
        return source
    return source.model_copy(update={"probe_login": False})


def _with_old_cas(
    both: str | None,
    source: Source,
    material: Material,
    state: SourceState,
    context: StepContext[ProbeSettings],
) -> tuple[str | None, ProbeReport | None, datetime | None]:
    """Look once more with ``both``, then with what was dropped of late too.

    Returns:
        The CAs to trust meanwhile; the report that they passed with, if one; and when the CA was
        dropped that is needed again, if one is.
    """
    report = _look_with(both, source, material, context)
    if report is not None:
        return both, report, None
    more = with_dropped(source, material, state.dropped, context.now())
    report = _look_with(more, source, material, context)
    if report is None:
        return both, None, None
    return more, report, max(one.at for one in state.dropped.values())


def _of_answering(
    source: Source,
    material: Material,
    probed: Probed,
    report: ProbeReport,
    state: SourceState,
) -> tuple[Finding, ...]:
    """Return the findings of the look that counts, and of who answered since the last run."""
    findings = answering(
        _judged(source, report),
        probed.answering,
        Answering(state.served_leaf, state.in_recovery),
        intended=material.leaf_sha256,
        writes=source.endpoint_type == "target",
    )
    if probed.dropped_at is not None:
        others = (f for f in findings if f.cause is not Cause.DIFFERENT_NODE_ANSWERS)
        findings = (*others, needed_again(probed.dropped_at))
    return not_served_yet(findings, in_acm=source.acm_certificate is not None)


def _asks_unsafely(
    source: Source, material: Material, context: StepContext[ProbeSettings]
) -> tuple[Finding, ...]:
    """Return that the server asks for the password so that DMS would give it away.

    Where the probe does not log in because nothing is verified, it says who would, and answers
    nothing: what the server asks for is known before DMS answers. ``probe_login: false`` is the
    owner's word that not even that is said.
    """
    there = material.endpoint.fields if material.endpoint else EndpointFields()
    user = material.username or there.username
    if source.logs_in or source.probe_login is not None or source.ssl_mode.verifies or not user:
        return ()
    request = replace(
        _request(source, material, None, context), user=user, password=None, probe_plaintext=False
    )
    asked = probe.probe(request, resolve=context.resolve, now=context.now)
    return tuple(f for f in asked.findings if f.cause is Cause.UNSAFE_PASSWORD_REQUEST)


def _read_slots(
    event: ProbeEvent, context: StepContext[ProbeSettings]
) -> tuple[SlotFacts, ...] | None:
    """Log in once more, with the CAs that the first look came through with.

    A run that finishes another has read no material itself: then that of the other one counts.
    """
    source, first_run = event.source.spec, event.run_id
    material = context.documents.read(first_run, MATERIAL)
    if material is None and (undo := context.store.undo_with_run(event.name)) is not None:
        first_run = run_id(undo[1])
        material = context.documents.read(first_run, MATERIAL)
    if source.probe is ProbePolicy.OFF or not source.logs_in or material is None:
        return None
    first = context.documents.read(first_run, PROBED) or Probed()
    settled_now = settled(material, first) or material
    ca = first.union_pem if first.union_report else settled_now.bundle_pem
    request = replace(_request(source, material, ca, context), probe_plaintext=False)
    try:
        return slots_of(probe.probe(request, resolve=context.resolve, now=context.now))
    except Refused:  # the password could not be read
        return None


def _owners(
    material: Material, report: ProbeReport, context: StepContext[ProbeSettings]
) -> str | None:
    """Return the roots of the owner of the public root that the served chain ends in."""
    anchor = report.evidence.anchor if report.verdicts.verify_ca.passed else None
    return context.roots.of_owner(anchor.sha256) if material.public and anchor else None


def _union(source: Source, material: Material) -> str | None:
    """Return the CAs of the source and of the endpoint together, where they differ."""
    trusted = material.trusted
    if (
        not (source.ca_overlap and source.ssl_mode.verifies)
        or trusted is None
        or trusted.pem is None
        or material.bundle_pem is None
        or trusted.digest == material.bundle_digest
    ):
        return None
    return union(material.bundle_pem, trusted.pem)


def _needs_old_ca(report: ProbeReport) -> bool:
    return bool(report.evidence.chain) and not report.verdicts.verify_ca.passed


def _older_clients(source: Source, material: Material, state: SourceState) -> bool:
    """Whether to look as an older libpq too, since DMS's may be one.

    Before what may change the endpoint, and after whatever was not certified: then DMS and the
    probe may have disagreed. An unchanged source is looked at once.
    """
    there = material.endpoint
    trusted = material.trusted.digest if material.trusted else None
    return source.ssl_mode.verifies and (
        not (state.outcome and state.outcome.is_proven)
        or there is None
        or there.fields.ssl_mode is not source.ssl_mode
        or trusted != material.bundle_digest
        or material.leaf_sha256 not in (None, state.served_leaf)
    )


def _look(
    source: Source,
    material: Material,
    ca: str | None,
    context: StepContext[ProbeSettings],
    *,
    older: bool = False,
) -> ProbeReport:
    request = replace(_request(source, material, ca, context), older_clients=older)
    return probe.probe(request, resolve=context.resolve, now=context.now)


def _look_with(
    ca: str | None, source: Source, material: Material, context: StepContext[ProbeSettings]
) -> ProbeReport | None:
    """Return the report with more CAs; ``None``: there are none, or they do not help either."""
    if ca is None:
        return None
    request = replace(_request(source, material, ca, context), timeout=AGAIN)
    report = probe.probe(request, resolve=context.resolve, now=context.now)
    return report if report.verdicts.verify_ca.passed else None


def _request(
    source: Source, material: Material, ca: str | None, context: StepContext[ProbeSettings]
) -> ProbeRequest:
    verifies = source.ssl_mode.verifies
    there = material.endpoint.fields if material.endpoint else EndpointFields()
    return ProbeRequest(
        host=source.host,
        port=source.port,
        database=source.database or there.database_name,
        user=material.username if source.logs_in else None,
        password=_password(source, material, context) if source.logs_in else None,
        ssl_mode=source.ssl_mode,
        ca_bundle=ca.encode() if ca is not None and verifies else None,
        timeout=TIMEOUT,
        intended_leaf_sha256=material.leaf_sha256,
        probe_plaintext=source.probe_plaintext,
        policy=context.settings.probe_addresses,
        certificate_policy=context.settings.policy,
    )


def _password(
    source: Source, material: Material, context: StepContext[ProbeSettings]
) -> Callable[[], str] | None:
    """Return how to get the password: read again at its pinned version, when the probe asks."""
    arn = source.credentials
    if arn is None:
        return None

    def read() -> str:
        return context.secrets.require(arn, material.versions.credentials).text("password") or ""

    return read


def _judged(source: Source, report: ProbeReport) -> tuple[Finding, ...]:
    """Return the report's findings, as severe as the source's ``probe`` setting makes them."""
    if source.ssl_mode is SslMode.NONE:
        return tuple(_softened(found) for found in report.findings)
    if source.probe is not ProbePolicy.ADVISORY:
        return report.findings
    return tuple(
        _softened(found) if found.stage in REACHING else found for found in report.findings
    )


def _softened(found: Finding) -> Finding:
    if found.severity is not Severity.ERROR or found.cause is Cause.ADDRESS_FORBIDDEN:
        return found
    return found.model_copy(update={"severity": Severity.WARNING})
