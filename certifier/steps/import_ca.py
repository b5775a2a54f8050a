"""Import CA: the trusted bundle into DMS, under a name that its content gives it.

Sources that trust the same CAs share one DMS certificate. It is immutable, so a lost answer does no
harm: the next call finds it and compares.
"""

from certifier.errors import Refused
from certifier.run.documents import ImportedCa, Material, Plan
from certifier.run.event import Nothing, StepEvent
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Cause

STEP = "import_ca"
IDENTIFIER_DIGITS = 40


def identifier_of(digest: str) -> str:
    """Return the DMS certificate identifier of a bundle, from its digest (64 hex digits)."""
    return f"certifier-{digest[:IDENTIFIER_DIGITS]}"


def run(event: StepEvent, context: StepContext[StepSettings]) -> Nothing:
    """Import the bundle that the plan asks for, unless the endpoint trusts it already.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: the quota is reached, or the identifier holds something else.
    """
    context.store.hold(event.name, event.run)
    plan = context.documents.read(event.run_id, "plan_changes", Plan)
    material = context.documents.read(event.run_id, "read_material", Material) or Material()
    if plan is None:
        raise Refused(Cause.UNEXPECTED, seen="the plan of this run is gone")
    trusted = material.trusted
    if plan.desired_pem is None or plan.desired_digest is None:
        done = ImportedCa()
    elif trusted is not None and trusted.digest == plan.desired_digest:
        done = ImportedCa(certificate_arn=trusted.arn, digest=trusted.digest)
    else:
        # Tidy counts the days of what nobody uses; from now on somebody does.
        context.store.forget_unused(plan.desired_digest)
        made = context.dms.import_certificate(
            identifier_of(plan.desired_digest), plan.desired_pem, tags={"certifier": "ca"}
        )
        done = ImportedCa(certificate_arn=made.arn, digest=made.digest)
    context.documents.write(event.run_id, STEP, done)
    return Nothing()
