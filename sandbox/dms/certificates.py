"""DMS certificates: bundles of CAs, immutable, shared (AWS facts, sections 1 and 2)."""

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.dms.world import (
    Certificate,
    Fault,
    Operations,
    World,
    bad_state,
    invalid,
    not_found,
    page,
)


class Certificates:
    """Import, describe, delete."""

    def __init__(self, dms: World) -> None:
        self._dms = dms

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "ImportCertificate": self._import,
            "DescribeCertificates": self._describe,
            "DeleteCertificate": self._delete,
        }

    def _import(self, params: dict[str, Any]) -> dict[str, Any]:
        identifier = self._dms.identifier(params["CertificateIdentifier"], "certificate")
        pem, wallet = params.get("CertificatePem"), params.get("CertificateWallet")
        if (pem is None) == (wallet is None):
            raise invalid(
                "Please provide a value for either for CertificatePem or for CertificateWallet."
            )
        for arn, other in self._dms.state.certificates.items():
            if other.seen["CertificateIdentifier"] == identifier:
                raise self._dms.exists("certificate", identifier, arn)
        if len(self._dms.state.certificates) >= self._dms.quotas.certificates:
            raise Fault("ResourceQuotaExceededFault", "The quota for certificates is exceeded")
        arn = self._dms.new_arn("cert")
        seen: dict[str, Any] = {
            "CertificateIdentifier": identifier,
            "CertificateArn": arn,
            "CertificateCreationDate": self._dms.date(),
            "CertificateOwner": self._dms.account,
        }
        if pem is not None:
            seen |= self._facts(pem)
        else:
            seen["CertificateWallet"] = base64.b64decode(wallet or "")
        self._dms.state.certificates[arn] = Certificate(seen)
        self._dms.add_tags(arn, params.get("Tags"))
        return {"Certificate": dict(seen)}

    def _facts(self, pem: str) -> dict[str, Any]:
        try:
            bundle = x509.load_pem_x509_certificates(pem.encode())
        except ValueError:
            raise Fault("InvalidCertificateFault", "The certificate was not valid") from None
        described = bundle[-1 if self._dms.switches.bundle_facts_from_last else 0]
        key = described.public_key()
        length = (
            key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
        )
        if self._dms.switches.pem_normalised:
            pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in bundle).strip()
        return {
            "CertificatePem": pem,
            "ValidFromDate": described.not_valid_before_utc,
            "ValidToDate": described.not_valid_after_utc,
            "SigningAlgorithm": described.signature_algorithm_oid._name,
            "KeyLength": length,
        }

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._dms.filtered(
            params,
            [certificate.seen for certificate in self._dms.state.certificates.values()],
            {"certificate-arn": "CertificateArn", "certificate-id": "CertificateIdentifier"},
        )
        most = 100 if self._dms.switches.certificates_by_the_hundred else 10
        return page(params, "Certificates", found, default=10, least=1, most=most)

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        certificate = self._dms.state.certificates.get(params["CertificateArn"])
        if certificate is None:
            raise not_found(f"Certificate {params['CertificateArn']} not found")
        arn = certificate.seen["CertificateArn"]
        if any(one.seen.get("CertificateArn") == arn for one in self._dms.state.endpoints.values()):
            raise bad_state(f"Certificate {arn} is in use by one or more endpoints")
        del self._dms.state.certificates[arn]
        self._dms.state.tags.pop(arn, None)
        return {"Certificate": dict(certificate.seen)}
