"""Import CA: the trusted bundle into DMS, under a name that its content gives it.

Sources of one installation that trust the same CAs share one DMS certificate. It is immutable, so a
lost answer does no harm: the next call finds it and compares.
"""

from certifier.ownership import CA_TAG, STACK_TAG, certificate_identifier
from certifier.run.documents import IMPORTED_CA, MATERIAL, PLAN, ImportedCa, Material
from certifier.run.event import Nothing, StepEvent
from certifier.steps.context import StepContext, StepSettings


def run(event: StepEvent, context: StepContext[StepSettings]) -> Nothing:
    """Import the bundle that the plan asks for, unless the endpoint trusts it already.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: the quota is reached, or the identifier holds something else.
    """
    context.store.hold(event.name, event.run)
    plan = context.require(event, PLAN)
    material = context.read(event, MATERIAL) or Material()
    trusted = material.trusted
    if plan.desired_pem is None or plan.desired_digest is None:
        done = ImportedCa()
    elif trusted is not None and trusted.digest == plan.desired_digest:
        done = ImportedCa(certificate_arn=trusted.arn, digest=trusted.digest)
    else:
        # Tidy counts the days of what nobody uses; from now on somebody does.
        context.store.forget_unused(plan.desired_digest)
        installation = context.settings.installation
        made = context.dms.import_certificate(
            certificate_identifier(installation, plan.desired_digest),
            plan.desired_pem,
            tags={CA_TAG: "ca", STACK_TAG: installation},
        )
        done = ImportedCa(certificate_arn=made.arn, digest=made.digest)
    context.write(event, IMPORTED_CA, done)
    return Nothing()
