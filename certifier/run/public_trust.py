"""What ``ca_bundle: public`` comes down to: the roots of one owner, which a served chain shows.

Before the probe nobody knows which public roots an endpoint needs, but for those that it trusts
already. The probe verifies against all of them; what it saw settles the bundle of this run. Pure
decisions over values.
"""

from certifier.certificate import bundle_digest
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Material, Probed
from certifier.vocabulary import Cause, Witness


def settled(material: Material | None, probed: Probed | None) -> Material | None:
    """Return the material with the CAs that public trust comes down to in this run.

    Those of the owner of the root that the served chain ends in; without such a chain, the public
    roots that the endpoint trusts already, if any.
    """
    if material is None or not material.public or probed is None or probed.public_pem is None:
        return material
    pem = probed.public_pem
    return material.model_copy(update={"bundle_pem": pem, "bundle_digest": bundle_digest(pem)})


def not_settled(material: Material) -> Finding | None:
    """Return that nobody knows which roots the endpoint needs; ``None``: they are known."""
    if not material.public or material.bundle_pem is not None:
        return None
    return finding(
        Cause.TRUST_UNAVAILABLE,
        place=Witness.PLAN,
        seen="no served chain was seen, so it is not known in which public root it ends, and the "
        "endpoint does not trust any public root yet",
    )
