"""ACM: one imported certificate per source, in step with the server's certificate and key.

ACM has no names for imported certificates: an import without an ARN always makes a new one. So the
ARN is remembered by the store, and a tag finds it again when the store has lost it. The client must
try only once (:class:`certifier.aws.clients.Clients` sees to that): a retry after a lost answer
would make a second certificate. Facts about the service: AWS notes, section 7.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.answers import require_asked, require_serial
from certifier.aws.clients import code_of, message_of, translate
from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.facts import all_names
from certifier.errors import Busy, NotYetConsistent, Refused, Unexpected
from certifier.models import Fact
from certifier.ownership import SOURCE_TAG, STACK_TAG, is_ours
from certifier.vocabulary import Cause

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient

_PAGE = 1000
_PAGES = 20
_NOT_FOUND = "ResourceNotFoundException"
_PENDING = "RequestInProgressException"
_IN_USE = "ResourceInUseException"
_QUOTA = "LimitExceededException"
_CONFLICT = "ConflictException"
_UNSUITABLE = (
    "ValidationException",
    "InvalidParameterException",
    "InvalidArnException",
    "InvalidTagException",
    "TagPolicyException",
    "TooManyTagsException",
)


@dataclass(frozen=True)
class Pair:
    """What PostgreSQL is meant to serve, in PEM.

    Attributes:
        certificate: the leaf alone; ``chain``: what is above it, without leaf and root.
        private_key: gives the leaf's key, unencrypted; called only when something is imported.
    """

    certificate: str
    chain: str
    private_key: Callable[[], bytes] = field(repr=False)

    @property
    def facts(self) -> CertificateFacts:
        """What the leaf says."""
        return _leaf_facts(self.certificate)


class AcmCertificate(Fact):
    """An imported certificate.

    Attributes:
        sha256: of the leaf in DER, lower-case hex.
        key_type: such as ``RSA_2048``; names: of the leaf, in lower case.
        in_use_by: ARNs of what is served with it.
        stack: the installation whose tag it bears, as far as that was looked at.
    """

    arn: str
    sha256: str
    key_type: str
    names: frozenset[str]
    in_use_by: tuple[str, ...] = ()
    imported_at: datetime | None = None
    not_after: datetime | None = None
    stack: str | None = None


class Reconciled(Fact):
    """What was done.

    Attributes:
        arn: the certificate that is in step with the pair now.
        changed: something was imported.
        unsettled: what the source had before, to be remembered and given to the next good run,
            which deletes it; ``None`` when there is nothing to delete.
        removed: ARNs of certificates of the source that were deleted.
        others: ARNs that have the source's tag and were left alone: nothing proves them ours.
    """

    arn: str
    changed: bool
    unsettled: str | None = None
    removed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class Acm:
    """ACM in one account and Region, for the sources of one stack.

    A certificate that a person has tagged with a source, and with no stack, is adopted by the first
    installation that finds it, which tags it. Only what has its tags is ever deleted.

    Raises, from every method:
        Retryable: ACM asked us to slow down, did not answer, or is busy.
        Refused: a person must act; ``seen`` says what ACM said.
        Unexpected: an error that is not expected.
    """

    def __init__(self, client: "ACMClient", stack: str) -> None:
        self._client = client
        self._stack = stack

    def reconcile(
        self,
        source: str,
        pair: Pair,
        *,
        remembered: str | None,
        unsettled: str | None = None,
    ) -> Reconciled:
        """Bring ACM in step with the pair. Calling again is always safe, after a lost answer too.

        The same ARN gets a renewed leaf. A leaf with another key type, or with none of the old
        names, needs a new ARN; the old one goes at the next good run, unless something uses it. An
        unchanged pair costs one call.

        Args:
            source: name of the source; the tag's value.
            remembered: the ARN that an earlier run left the pair under.
            unsettled: what an earlier :class:`Reconciled` said.

        Raises:
            Refused: ``acm_unsuitable`` or ``acm_quota``.
        """
        leaf = pair.facts
        stored = None if remembered is None else self.fingerprint(remembered)
        if remembered is not None and stored == leaf.sha256:
            if unsettled in (None, remembered):
                return Reconciled(arn=remembered, changed=False)
            return self._settle(source, remembered, unsettled)
        old = None if remembered is None or stored is None else self.certificate(remembered)
        if old is not None and old.sha256 == leaf.sha256:  # so the first answer was of another
            return Reconciled(arn=old.arn, changed=False, unsettled=unsettled)
        if old is not None and _can_renew(old, leaf):
            self._import(pair, arn=old.arn)
            return Reconciled(arn=old.arn, changed=True, unsettled=unsettled)
        return self._find_or_import(source, pair, old=old)

    def _find_or_import(self, source: str, pair: Pair, *, old: AcmCertificate | None) -> Reconciled:
        """Adopt what an earlier run has imported and could not remember, or import anew.

        A tag proves nothing: whoever may set one could have us write over a certificate of theirs,
        or of somebody else's load balancer. So what only a tag says is ours is never written over.
        It is adopted if it is the very same certificate and nothing uses it.
        """
        leaf, unsettled = pair.facts, old.arn if old else None
        tagged = [one for one in self.tagged(source, leaf) if one.arn != unsettled]
        same = [one for one in tagged if one.sha256 == leaf.sha256 and not one.in_use_by]
        if same:
            kept = _of_duplicates(same)
            self._mark(kept)
            arn = kept.arn
        else:
            arn = self._import(pair, tags={SOURCE_TAG: source, STACK_TAG: self._stack})
        others = tuple(sorted({one.arn for one in tagged} - {arn}))
        return Reconciled(arn=arn, changed=not same, unsettled=unsettled, others=others)

    def _settle(self, source: str, kept: str, unsettled: str) -> Reconciled:
        """Delete what the source had before, by its remembered ARN, unless something uses it."""
        removed = self.delete_if_unused(unsettled, source)
        left = not removed and self.fingerprint(unsettled) is not None
        return Reconciled(
            arn=kept,
            changed=False,
            unsettled=unsettled if left else None,
            removed=(unsettled,) if removed else (),
        )

    def fingerprint(self, arn: str) -> str | None:
        """Return the SHA-256 of the leaf under an ARN; ``None`` when there is none. One call."""
        answer = self._ask("get_certificate", (_NOT_FOUND,), CertificateArn=arn)
        return None if isinstance(answer, str) else _leaf_facts(answer["Certificate"]).sha256

    def read(self, arn: str, *, expected: str | None = None) -> tuple[str, str] | str:
        """Return leaf and chain (PEM) of a certificate that lives in ACM, or why there is none.

        One call, and one more when it is not the expected one. The chain is as ACM gives it:
        intermediates, with or without the root.

        Args:
            expected: SHA-256 of the certificate that is thought to be there.

        Raises:
            Unavailable: the answer is about another certificate.
        """
        answer = self._ask("get_certificate", (_NOT_FOUND, _PENDING), CertificateArn=arn)
        match answer:
            case str() if answer == _PENDING:
                return "ACM has not issued it yet"
            case str():
                return "there is none in this account and Region"
        leaf = _leaf_facts(answer["Certificate"])
        if leaf.sha256 != expected:
            described = self._ask("describe_certificate", (_NOT_FOUND,), CertificateArn=arn)
            if not isinstance(described, str):
                serial = described["Certificate"].get("Serial")
                require_serial("get_certificate", serial, leaf.serial)
        return answer["Certificate"], answer.get("CertificateChain", "")

    def certificate(self, arn: str) -> AcmCertificate | None:
        """Return the certificate under an ARN; ``None`` when there is none. Two calls."""
        described = self._ask("describe_certificate", (_NOT_FOUND,), CertificateArn=arn)
        stored = self._ask("get_certificate", (_NOT_FOUND,), CertificateArn=arn)
        if isinstance(described, str) or isinstance(stored, str):
            return None
        detail = described["Certificate"]
        imported: datetime | None = detail.get("ImportedAt")
        leaf = _leaf_facts(stored["Certificate"])
        require_serial("get_certificate", detail.get("Serial"), leaf.serial)
        return AcmCertificate(
            arn=arn,
            sha256=leaf.sha256,
            # the API has been seen to answer RSA-2048 for RSA_2048
            key_type=leaf.key or str(detail.get("KeyAlgorithm", "")).replace("-", "_"),
            names=_names(leaf),
            in_use_by=tuple(detail.get("InUseBy", ())),
            imported_at=imported.astimezone(UTC) if imported else None,
            not_after=leaf.not_after,
        )

    def tagged(self, source: str, leaf: CertificateFacts) -> tuple[AcmCertificate, ...]:
        """Return the certificates that are tagged with the source and share a name with ``leaf``.

        Tags cannot be searched for, so each candidate costs a call. One without a common name could
        not take the leaf anyway, since a re-import must keep a name.
        """
        names = _names(leaf)
        found = []
        for summary in self._listed():
            listed = {
                summary.get("DomainName"),
                *summary.get("SubjectAlternativeNameSummaries", ()),
            }
            shown = {str(name).lower() for name in listed if name}
            if not shown & names and not summary.get("HasAdditionalSubjectAlternativeNames"):
                continue
            arn = str(summary["CertificateArn"])
            tags = self.tags(arn)
            if tags.get(SOURCE_TAG) != source or tags.get(STACK_TAG, self._stack) != self._stack:
                continue
            certificate = self.certificate(arn)
            if certificate is not None:
                found.append(certificate.model_copy(update={"stack": tags.get(STACK_TAG)}))
        return tuple(found)

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a certificate; empty when there is none."""
        answer = self._ask("list_tags_for_certificate", (_NOT_FOUND,), CertificateArn=arn)
        if isinstance(answer, str):
            return {}
        return {one["Key"]: one.get("Value", "") for one in answer["Tags"]}

    def _mark(self, adopted: AcmCertificate) -> None:
        """Give a certificate that a person has tagged with the source this installation's tag."""
        if adopted.stack is None:
            tag = {"Key": STACK_TAG, "Value": self._stack}
            self._ask("add_tags_to_certificate", (), CertificateArn=adopted.arn, Tags=[tag])

    def delete_if_unused(self, arn: str, source: str) -> bool:
        """Delete a certificate of this source that nothing uses; say whether it was deleted."""
        tags = self.tags(arn)
        if tags.get(SOURCE_TAG) != source or not is_ours(tags, self._stack):
            return False
        described = self._ask("describe_certificate", (_NOT_FOUND,), CertificateArn=arn)
        if isinstance(described, str) or described["Certificate"].get("InUseBy"):
            return False
        answer = self._ask("delete_certificate", (_NOT_FOUND, _IN_USE), CertificateArn=arn)
        return not isinstance(answer, str)

    def _import(
        self,
        pair: Pair,
        *,
        arn: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Import the pair, over ``arn`` or as a new one with ``tags``; return the ARN."""
        params: dict[str, Any] = {
            "Certificate": pair.certificate.encode(),
            "PrivateKey": pair.private_key(),
        }
        if pair.chain:
            params["CertificateChain"] = pair.chain.encode()
        if arn is not None:
            params["CertificateArn"] = arn
        elif tags:  # ACM takes none on a re-import
            params["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        answer = self._ask("import_certificate", (_NOT_FOUND,), **params)
        if isinstance(answer, str):
            raise NotYetConsistent(f"ImportCertificate: {answer}")
        return str(answer["CertificateArn"])

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield the summary of every imported certificate."""
        from certifier.certificate.acm import KEY_KINDS  # noqa: PLC0415 - it loads cryptography

        # all that can be imported: a list that does not name them shows small RSA keys only
        params: dict[str, Any] = {"Includes": {"keyTypes": list(KEY_KINDS)}, "MaxItems": _PAGE}
        for _ in range(_PAGES):
            answer = self._ask("list_certificates", (), **params)
            assert not isinstance(answer, str)
            for summary in answer["CertificateSummaryList"]:
                if summary.get("Type", "IMPORTED") == "IMPORTED":
                    yield summary
            token = answer.get("NextToken")
            if not token:
                return
            if token == params.get("NextToken"):
                raise Unexpected("ListCertificates: the same page comes again")
            params["NextToken"] = token
        raise Unexpected(f"ListCertificates: more than {_PAGES} pages")

    def _ask(
        self, operation: str, expected: tuple[str, ...], **params: Any
    ) -> Mapping[str, Any] | str:
        """Call the service. A code in ``expected`` is returned, any other raised as ours."""
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**params)
        except (ClientError, BotoCoreError) as error:
            code, said = code_of(error), message_of(error)
            if code in expected:
                return code
            if code == _QUOTA:
                raise Refused(Cause.ACM_QUOTA, seen=f"ACM takes no more: {said}") from None
            if code == _CONFLICT:
                raise Busy(f"{operation}: {code}") from None
            if code in _UNSUITABLE:
                # what a service quotes of a request may be the key
                words = "" if "-----" in said else f": {said}"
                seen = f"ACM does not take the certificate ({code}){words}"
                raise Refused(Cause.ACM_UNSUITABLE, seen=seen) from None
            raise translate(error) from None
        require_asked(operation, params, answer)
        return answer


def _leaf_facts(pem: str) -> CertificateFacts:
    """Return the facts of the one certificate in a PEM, with all of its names."""
    found = certificates_in(pem)
    if len(found) != 1:
        raise Unexpected("NotOneCertificate")
    return certificate_facts(found[0]).model_copy(update={"names": all_names(found[0])})


def _names(leaf: CertificateFacts) -> frozenset[str]:
    """Every name of a leaf, its common name among them: ACM counts that too."""
    names = leaf.names
    cn = () if names.cn is None else (names.cn,)
    return frozenset(name.lower() for name in (*names.dns, *names.ips, *cn))


def _can_renew(old: AcmCertificate, leaf: CertificateFacts) -> bool:
    """Whether ACM takes the leaf under the old one's ARN: same key type and size, a common name."""
    return old.key_type == leaf.key and bool(old.names & _names(leaf))


def _of_duplicates(same: list[AcmCertificate]) -> AcmCertificate:
    """Return which of several imports of one leaf is kept: the oldest."""
    return min(same, key=lambda one: (one.imported_at or datetime.max.replace(tzinfo=UTC), one.arn))
