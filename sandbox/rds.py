"""RDS's list of CAs, which moto does not have: the roots of each Region, by their thumbprints."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from certifier.certificate import certificate_facts
from certifier.roots import Roots, TrustStoreUnreachable

_NEVER = datetime(2100, 1, 1, tzinfo=UTC)


def unreachable(region: str) -> bytes:
    """Stand in for AWS's trust store: the sandbox has no network.

    Raises:
        TrustStoreUnreachable: always.
    """
    raise TrustStoreUnreachable(f"the sandbox does not fetch the bundle of {region}")


class RdsStandIn:
    """What ``DescribeCertificates`` answers: the roots of the data, or ``listed`` for a Region.

    Attributes:
        listed: the roots of a Region in DER, in place of the data's.
    """

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self.listed: dict[str, tuple[bytes, ...]] = {}

    @contextmanager
    def installed(self) -> Iterator["RdsStandIn"]:
        """Answer inside ``mock_aws()``."""

        def describe_certificates(response: Any) -> ActionResult:
            region = str(response.region)
            ders = self.listed.get(region, self._roots.of_region(region))
            return ActionResult({"Certificates": [_shown(der, region) for der in ders]})

        with patch.object(RDSResponse, "describe_certificates", describe_certificates, create=True):
            yield self


def _shown(der: bytes, region: str) -> dict[str, Any]:
    facts = certificate_facts(der)
    identifier = "rds-ca-" + (facts.key or "unknown").replace("_", "").lower() + "-g1"
    return {
        "CertificateIdentifier": identifier,
        "CertificateType": "CA",
        "Thumbprint": hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        "ValidFrom": facts.not_before,
        "ValidTill": facts.not_after or _NEVER,
        "CertificateArn": f"arn:aws:rds:{region}::cert:{identifier}",
        "CustomerOverride": False,
    }
