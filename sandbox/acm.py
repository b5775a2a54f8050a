"""ACM's rules for imported certificates, in front of moto's ACM.

moto takes a wrong key, a wrong chain, a leaf in the chain and another key type on a re-import, and
drops the tags. :class:`AcmStandIn` checks what the AWS facts (section 7) say before moto stores
anything, shows what ACM would show, and holds ACM's rates and quotas.
"""

import base64
import binascii
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import moto.acm.urls
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ExtensionOID,
    NameOID,
)
from moto.acm.exceptions import AWSResourceNotFoundException, AWSValidationException
from moto.acm.models import AWS_ROOT_CA, CertBundle, acm_backends
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult

_CERTIFICATE_BYTES = 32_768
_KEY_BYTES = 5_120
_CHAIN_BYTES = 2_097_152
_OCSP_URL_CHARACTERS = 1_000
_RSA_SIZES = (1024, 2048, 3072, 4096)
_CURVES = {"secp256r1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
_LISTED_BY_DEFAULT = ("RSA_1024", "RSA_2048")
_KEY_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
_YEAR = 365 * 24 * 3600.0
_RATES = {
    "ImportCertificate": 1,
    "DescribeCertificate": 10,
    "GetCertificate": 10,
    "ListCertificates": 8,
    "AddTagsToCertificate": 5,
}


class KeyTypeHeld(StrEnum):
    """When a re-import must keep the key type and size (docs: always; UNCONFIRMED when unused)."""

    ALWAYS = "always"
    WHEN_IN_USE = "when_in_use"


@dataclass(frozen=True, kw_only=True)
class AcmSwitches:
    """UNCONFIRMED behaviour of ACM (section 7), its rates and its quotas."""

    key_type_held: KeyTypeHeld = KeyTypeHeld.ALWAYS
    chain_required: bool = False
    """A certificate signed by a CA needs its chain (the documents disagree)."""
    algorithm_must_match_ca: bool = False
    """The certificate's key must be of its CA's kind (in the API text, not in the guide)."""
    reimports_count: bool = True
    """A re-import counts toward the imports of the year."""
    throttled: bool = True
    imported: int = 2_500
    imports_per_year: int = 5_000


class AcmStandIn:
    """ACM in one account and Region, in front of moto's backend, which keeps the certificates.

    ``clock`` gives seconds since the epoch: certificates are valid, and calls too fast, by it.
    """

    def __init__(
        self,
        *,
        switches: AcmSwitches | None = None,
        clock: Callable[[], float] = time.time,
        account: str = "123456789012",
        region: str = "eu-west-1",
    ) -> None:
        self.switches = switches or AcmSwitches()
        self.clock = clock
        self.account = account
        self.region = region
        self._calls: dict[str, deque[float]] = {}
        self._imports: list[float] = []

    @contextmanager
    def installed(self) -> Iterator["AcmStandIn"]:
        """Stand before moto's ACM inside ``mock_aws()``; afterwards moto answers alone again."""
        before = moto.acm.urls.url_paths["{0}/$"]

        def dispatch(*args: Any, **kwargs: Any) -> Any:
            return _Response(self)._dispatch(*args, **kwargs)

        moto.acm.urls.url_paths["{0}/$"] = dispatch
        try:
            yield self
        finally:
            moto.acm.urls.url_paths["{0}/$"] = before

    def certificates(self) -> dict[str, CertBundle]:
        """What is in ACM, by ARN, without a call."""
        return dict(acm_backends[self.account][self.region]._certificates)

    def set_in_use(self, arn: str, *users: str) -> None:
        """Let load balancers and the like hold a certificate; nobody: it is unused again."""
        self.certificates()[arn].in_use_by[:] = users

    def take(self, operation: str) -> None:
        """Count a call; raises ThrottlingException when they come faster than ACM allows."""
        rate = _RATES.get(operation)
        if rate is None or not self.switches.throttled:
            return
        now = self.clock()
        calls = self._calls.setdefault(operation, deque())
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= rate:
            raise AWSError("Rate exceeded", "ThrottlingException")
        calls.append(now)

    def count_import(self, *, again: bool) -> None:
        """Count an import against the quotas; raises LimitExceededException."""
        now = self.clock()
        self._imports = [at for at in self._imports if at > now - _YEAR]
        if not again and len(self.certificates()) >= self.switches.imported:
            raise AWSError(
                "You have reached your limit of imported certificates", "LimitExceededException"
            )
        if again and not self.switches.reimports_count:
            return
        if len(self._imports) >= self.switches.imports_per_year:
            raise AWSError(
                "You have reached your limit of certificate imports in the last 365 days",
                "LimitExceededException",
            )
        self._imports.append(now)

    def check_import(
        self, certificate: bytes, private_key: bytes, chain: bytes | None, old: CertBundle | None
    ) -> None:
        """Raise ValidationException for what ACM does not take."""
        _check_sizes(certificate, private_key, chain)
        leaf = _one_certificate(certificate)
        key_type = _check_key(leaf, private_key)
        _check_names(leaf)
        self._check_dates(leaf)
        self._check_chain(leaf, chain)
        if old is not None:
            self._check_again(leaf, key_type, old)

    def _check_dates(self, leaf: x509.Certificate) -> None:
        now = datetime.fromtimestamp(self.clock(), UTC)
        if now < leaf.not_valid_before_utc:
            raise AWSValidationException("The certificate is not in effect yet, is not valid.")
        if now > leaf.not_valid_after_utc:
            raise AWSValidationException("The certificate has expired, is not valid.")

    def _check_chain(self, leaf: x509.Certificate, chain: bytes | None) -> None:
        """No leaf in the chain; each certificate directly certifies the preceding one."""
        issuers: list[x509.Certificate] = []
        if chain is not None:
            try:
                issuers = x509.load_pem_x509_certificates(chain)
            except ValueError:
                raise AWSValidationException(
                    "The certificate chain is not PEM-encoded or is not valid."
                ) from None
        elif self.switches.chain_required and leaf.issuer != leaf.subject:
            raise AWSValidationException(
                "Provided certificate is not a valid self signed. Please provide either a valid "
                "self-signed certificate or certificate chain."
            )
        if leaf in issuers:
            raise AWSValidationException(
                "The certificate chain must not contain the certificate that is imported."
            )
        for child, issuer in zip([leaf, *issuers], issuers, strict=False):
            if not _certifies(issuer, child):
                raise AWSValidationException(
                    "Could not validate the certificate with the certificate chain."
                )
        if (
            self.switches.algorithm_must_match_ca
            and issuers
            and type(issuers[0].public_key()) is not type(leaf.public_key())
        ):
            raise AWSValidationException(
                "The algorithm of the certificate does not match the algorithm of its CA."
            )

    def _check_again(self, leaf: x509.Certificate, key_type: str, old: CertBundle) -> None:
        """What a re-import must keep."""
        held = self.switches.key_type_held is KeyTypeHeld.ALWAYS or old.in_use_by
        if held and key_type != _key_type(old._cert.public_key()):
            raise AWSValidationException(
                "The key type and size of a certificate cannot change when it is reimported."
            )
        if not _names(leaf) & _names(old._cert):
            raise AWSValidationException(
                "A reimported certificate must keep at least one of its domain names."
            )
        if _usages(old._cert) - _usages(leaf) - _may_go(leaf):
            raise AWSValidationException(
                "A reimported certificate must keep its key usages and extended key usages."
            )


class _Response(AWSCertificateManagerResponse):
    """One request: ACM's rules around moto's handlers."""

    def __init__(self, standin: AcmStandIn) -> None:
        super().__init__()
        self._standin = standin

    def call_action(self) -> Any:
        try:
            self._standin.take(self._get_action())
        except AWSError as throttled:
            return throttled.code, dict(throttled.get_headers()), throttled.description
        return super().call_action()

    def import_certificate(self) -> ActionResult:
        arn = self._get_param("CertificateArn")
        tags = self._get_param("Tags")
        old = None
        if arn is not None:
            old = self._standin.certificates().get(arn)
            if old is None:
                raise AWSResourceNotFoundException(f"Could not find certificate {arn}.")
            if old.type != "IMPORTED":
                raise AWSValidationException(f"Certificate {arn} was not imported.")
            if tags:
                raise AWSValidationException("Tagging is not permitted on re-import.")
        chain = self._get_param("CertificateChain")
        self._standin.check_import(
            _decoded(self._get_param("Certificate")),
            _decoded(self._get_param("PrivateKey")),
            None if chain is None else _decoded(chain),
            old,
        )
        self._standin.count_import(again=old is not None)
        answer = super().import_certificate()
        if old is not None:
            new = self._standin.certificates()[str(arn)]
            new.tags, new.in_use_by = old.tags, old.in_use_by
        return answer

    def get_certificate(self) -> ActionResult:
        """As it was imported: moto adds a root of Amazon's to every chain."""
        bundle = self.acm_backend.get_certificate(self._get_param("CertificateArn"))
        answer = {"Certificate": bundle.cert.decode()}
        chain = bundle.chain.removesuffix(AWS_ROOT_CA + b"\n").strip()
        if chain:
            answer["CertificateChain"] = chain.decode() + "\n"
        return ActionResult(answer)

    def list_certificates(self) -> ActionResult:
        """In pages, and without keyTypes only RSA of 1024 and 2048 bits."""
        includes = dict(self._get_param("Includes") or {})
        includes.setdefault("keyTypes", list(_LISTED_BY_DEFAULT))
        found = list(
            self.acm_backend.list_certificates(self._get_param("CertificateStatuses"), includes)
        )
        size = self._get_param("MaxItems") or 100
        start = int(self._get_param("NextToken") or 0)
        summaries = []
        for bundle in found[start : start + size]:
            summary = bundle.describe()["Certificate"]
            summary["InUse"] = bool(summary.pop("InUseBy", []))
            summary["SubjectAlternativeNameSummaries"] = summary.pop("SubjectAlternativeNames")
            summaries.append(summary)
        answer: dict[str, Any] = {"CertificateSummaryList": summaries}
        if start + size < len(found):
            answer["NextToken"] = str(start + size)
        return ActionResult(answer)

    def delete_certificate(self) -> ActionResult:
        arn = self._get_param("CertificateArn")
        bundle = self._standin.certificates().get(arn)
        if bundle is not None and bundle.in_use_by:
            raise AWSError(f"Certificate {arn} is in use.", "ResourceInUseException")
        return super().delete_certificate()


def _decoded(blob: str) -> bytes:
    try:
        return base64.b64decode(blob, validate=True)
    except binascii.Error:
        raise AWSValidationException("The request is not valid base64.") from None


def _check_sizes(certificate: bytes, private_key: bytes, chain: bytes | None) -> None:
    for name, value, most in (
        ("certificate", certificate, _CERTIFICATE_BYTES),
        ("privateKey", private_key, _KEY_BYTES),
        ("certificateChain", chain or b"", _CHAIN_BYTES),
    ):
        if len(value) > most:
            raise AWSValidationException(
                f"Value at '{name}' failed to satisfy constraint: Member must have length less "
                f"than or equal to {most}"
            )


def _one_certificate(pem: bytes) -> x509.Certificate:
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise AWSValidationException(
            "The certificate is not PEM-encoded or is not valid."
        ) from None
    if len(certificates) > 1:
        raise AWSValidationException(
            "The certificate field contains more than one certificate. You can specify only one "
            "certificate in this field."
        )
    leaf = certificates[0]
    if leaf.version is not x509.Version.v3:
        raise AWSValidationException("The certificate must be an X.509 version 3 certificate.")
    if not list(leaf.issuer):
        raise AWSValidationException("The issuer of the certificate must not be empty.")
    for url in _ocsp_urls(leaf):
        if len(url) > _OCSP_URL_CHARACTERS:
            raise AWSValidationException("The OCSP authority URL exceeds 1000 characters.")
    return leaf


def _check_key(leaf: x509.Certificate, pem: bytes) -> str:
    """The key type in ACM's words, once the private key is known to belong to the certificate."""
    try:
        private_key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError):
        raise AWSValidationException(
            "The private key is not PEM-encoded or is not valid."
        ) from None
    try:
        key_type = _key_type(leaf.public_key())
    except UnsupportedAlgorithm:
        key_type = None
    if key_type is None:
        raise AWSValidationException("The private key is not supported.")
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private_key.public_key().public_bytes(*public) != leaf.public_key().public_bytes(*public):
        raise AWSValidationException("The private key does not match the certificate.")
    return key_type


def _check_names(leaf: x509.Certificate) -> None:
    if not _names(leaf):
        raise AWSValidationException(
            "The certificate must contain a fully qualified domain name or an IP address."
        )


def _key_type(key: object) -> str | None:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}" if key.key_size in _RSA_SIZES else None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return f"EC_{_CURVES[key.curve.name]}"
    return None


def _certifies(issuer: x509.Certificate, child: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _names(leaf: x509.Certificate) -> set[str]:
    names = {
        str(attribute.value)
        for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    }
    san = _extension(leaf, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if isinstance(san, x509.SubjectAlternativeName):
        names |= set(san.get_values_for_type(x509.DNSName))
        names |= {str(address) for address in san.get_values_for_type(x509.IPAddress)}
    return names


def _usages(leaf: x509.Certificate) -> set[str]:
    """Key usages and extended key usages that a re-import must keep (section 7)."""
    found: set[str] = set()
    extended = _extension(leaf, ExtensionOID.EXTENDED_KEY_USAGE)
    if isinstance(extended, x509.ExtendedKeyUsage):
        found = {oid.dotted_string for oid in extended}
    usage = _extension(leaf, ExtensionOID.KEY_USAGE)
    if isinstance(usage, x509.KeyUsage):
        found |= {name for name in _KEY_USAGES if getattr(usage, name)}
    return found


def _may_go(leaf: x509.Certificate) -> set[str]:
    """Usages that a new certificate may lack although the old one had them."""
    exempt = {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string}
    if isinstance(leaf.public_key(), ec.EllipticCurvePublicKey):
        exempt.add("key_encipherment")
    return exempt


def _ocsp_urls(leaf: x509.Certificate) -> list[str]:
    access = _extension(leaf, ExtensionOID.AUTHORITY_INFORMATION_ACCESS)
    if not isinstance(access, x509.AuthorityInformationAccess):
        return []
    return [
        one.access_location.value
        for one in access
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]


def _extension(leaf: x509.Certificate, oid: x509.ObjectIdentifier) -> x509.ExtensionType | None:
    try:
        return leaf.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
