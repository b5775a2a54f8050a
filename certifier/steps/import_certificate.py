"""Import certificate: the server's certificate and key into ACM, which then watches its expiry.

ACM is a side record: whatever goes wrong here is a warning, and never blocks the endpoint. The
private key is read again at its pinned version, and leaves this function only towards ACM.
"""

from certifier import certificate
from certifier.aws.acm import Pair, Reconciled
from certifier.certificate import material_from_secret
from certifier.certificate.facts import Leaf
from certifier.diagnosis import finding
from certifier.errors import Refused, Unexpected
from certifier.models import Finding, Policy
from certifier.ownership import SOURCE_TAG
from certifier.run.documents import ACM_COPY, MATERIAL, ImportedCertificate, Material
from certifier.run.event import Nothing, StepEvent
from certifier.run.state import SourceState
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Cause, Severity, Witness

_NAMED = 5


def run(event: StepEvent, context: StepContext[StepSettings]) -> Nothing:
    """Bring ACM in step with the pair, if the source has one.

    Raises:
        ClaimLost: another execution owns the source.
        Retryable: ACM asked us to slow down, or did not answer.
    """
    source = event.source.spec
    material = context.read(event, MATERIAL)
    if source.server_certificate is None or material is None or material.leaf_pem is None:
        return Nothing()
    if source.acm_certificate is not None:
        return Nothing()  # it lives there already, and is not ours
    held = context.store.hold(event.name, event.run)
    state = held.state
    try:
        pair = _pair(event, context, material)
        done = _reconcile(event, context, pair, state)
    except Refused as refused:
        cause = refused.cause if refused.cause in _ACM_CAUSES else Cause.ACM_FAILED
        seen = refused.seen or "the pair could not be brought into ACM"
        result = ImportedCertificate(acm_arn=state.acm_arn, findings=(_warning(cause, seen),))
    except Unexpected as error:
        seen = f"ACM answered with an unexpected error: {error}"
        found = _warning(Cause.ACM_FAILED, seen)
        result = ImportedCertificate(acm_arn=state.acm_arn, findings=(found,))
    else:
        facts = pair.facts
        leaf = Leaf(sha256=facts.sha256, subject=facts.subject, not_after=facts.not_after)
        held.remember(acm_arn=done.arn, acm_superseded=done.unsettled, acm_leaf=leaf)
        result = ImportedCertificate(
            acm_arn=done.arn,
            leaf_sha256=leaf.sha256,
            changed=done.changed,
            not_after=leaf.not_after,
            findings=_of_others(event.name, done),
        )
    context.write(event, ACM_COPY, result)
    return Nothing()


_ACM_CAUSES = frozenset({Cause.ACM_UNSUITABLE, Cause.ACM_QUOTA})


def _warning(cause: Cause, seen: str) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, severity=Severity.WARNING)


def _of_others(name: str, done: Reconciled) -> tuple[Finding, ...]:
    """Return that ACM has more with the source's tag than the one that is kept in step."""
    if not done.others:
        return ()
    shown = ", ".join(done.others[:_NAMED])
    seen = f"beside {done.arn}, {len(done.others)} have the tag {SOURCE_TAG}={name}: {shown}"
    return (_warning(Cause.ACM_AMBIGUOUS, seen),)


def _pair(event: StepEvent, context: StepContext[StepSettings], material: Material) -> Pair:
    return Pair(
        certificate=material.leaf_pem or "",
        chain=material.chain_pem or "",
        private_key=lambda: _private_key(event, context, material),
    )


def _reconcile(
    event: StepEvent, context: StepContext[StepSettings], pair: Pair, state: SourceState
) -> Reconciled:
    return context.acm(context.settings.installation).reconcile(
        event.name, pair, remembered=state.acm_arn, unsettled=state.acm_superseded
    )


def _private_key(event: StepEvent, context: StepContext[StepSettings], material: Material) -> bytes:
    """Return the key that fits the leaf, in the form that ACM takes, from the pinned secret."""
    source = event.source.spec
    secret = context.secrets.require(
        source.server_certificate or "", material.versions.server_certificate
    )
    parts = material_from_secret(secret)
    taken = certificate.check_material(
        certificate=parts.certificate,
        private_key=parts.private_key,
        chain=parts.chain,
        ca=None,
        host=None,
        ssl_mode=source.ssl_mode,
        now=context.now(),
        policy=Policy(),
    )
    if taken.private_key is None or taken.leaf_sha256 != material.leaf_sha256:
        raise Refused(Cause.KEY_MISMATCH, seen="the secret no longer holds the pair that was read")
    return taken.private_key.pem()
