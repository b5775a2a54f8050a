"""The CAs that a word stands for: gathered from the data, from RDS and from AWS's trust store."""

from certifier.certificate.trust_sets import TrustWord
from certifier.errors import Refused, Unavailable, Unexpected
from certifier.models import Fact, Finding
from certifier.rds_names import rds_name
from certifier.roots import TrustStoreUnreachable
from certifier.run.rds_trust import Unknown, lacking, rds_trust
from certifier.steps.context import S, StepContext


class NamedRoots(Fact):
    """The roots as a canonical bundle, and what they were taken from; ``None``: there are none."""

    pem: str | None
    version: str | None
    findings: tuple[Finding, ...] = ()


def named_roots(word: TrustWord, host: str, context: StepContext[S]) -> NamedRoots:
    """Return the CAs that a word stands for; of ``public``, every one that might be needed.

    Raises:
        Retryable: RDS asked us to slow down.
    """
    name = rds_name(host)
    if word is not TrustWord.RDS or name is None:
        pem = context.roots.offline(word, name)
        return NamedRoots(pem=pem or None, version=context.roots.version)
    known = context.roots.of_region(name.region)
    listed = _listed(name.region, context)
    needed = bool(lacking(known, listed))
    published = _published(name.region, context) if needed else None
    trust = rds_trust(name.region, known, listed, published)
    version = f"roots of RDS in {name.region}" + (", some fetched" if needed else "")
    return NamedRoots(
        pem=trust.pem, version=version if trust.pem else None, findings=trust.findings
    )


def _listed(region: str, context: StepContext[S]) -> frozenset[str] | Unknown:
    try:
        return context.rds_in(region).thumbprints(context.now())
    except Refused as refused:
        return Unknown(refused.seen or "rds:DescribeCertificates is not permitted")
    except Unexpected as error:  # RDS is asked to be sure, not because it must answer
        return Unknown(f"RDS answered with an unexpected error ({error})")
    except Unavailable as error:  # nor because there is a Region of that name
        return Unknown(f"RDS did not answer there ({error})")


def _published(region: str, context: StepContext[S]) -> bytes | Unknown:
    try:
        return context.roots.fetch(region)
    except TrustStoreUnreachable as problem:
        return Unknown(str(problem))
