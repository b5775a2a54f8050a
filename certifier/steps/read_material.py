"""Read material: what the source is made of, and the endpoint as it is.

Before anything of a secret is read, its owner's consent is looked for, and that of the endpoint's
owner. Secrets and the CA bundle are read once, and their versions pinned: later steps of this run
read them again at those versions. Everything that is wrong with the material is said at once.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Json

from certifier import certificate
from certifier.aws.secrets import Secret
from certifier.certificate import bundle_digest, material_from_secret
from certifier.certificate.trust_sets import TrustWord
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint
from certifier.endpoint.fields import equal
from certifier.errors import Busy, Refused
from certifier.identity import same_host
from certifier.models import Finding, Policy, errors_first, errors_in
from certifier.probe import AddressPolicy, objection_to
from certifier.run.consent import (
    host_not_vouched,
    needs_vouching,
    not_allowed,
    of_an_installation,
    vouched_places,
)
from certifier.run.documents import MATERIAL, Material, Trusted, Versions
from certifier.run.event import Nothing, StepEvent
from certifier.run.group import tagged_group
from certifier.run.state import SourceState
from certifier.source import CredentialsMode, Source
from certifier.source_values import node_of
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.named_roots import named_roots
from certifier.vocabulary import Cause, Mode, Severity, Witness

REFUSED_IN_PASSWORDS = "{};+%"
"""DMS takes none of these in a PostgreSQL password (CHAP_Endpoints.Creating)."""

BREAKS_CONNECTION_STRINGS = "'\"\\"
"""Whether DMS quotes these, and blanks, for libpq is not documented. Where it does not, libpq says
what it could not read, and that is a piece of the password."""

RISKY_IN_PASSWORDS = ".:*&,"
"""DMS asks a rotation to exclude these too (security_iam_secretsmanager)."""

CLOSED = frozenset({Cause.ADDRESS_FORBIDDEN, Cause.NOT_ALLOWED})
"""Causes after which nothing more is read."""

IN_PASSING = frozenset({"creating", "modifying", "testing"})
"""States of an endpoint that end by themselves."""


Tags = Mapping[str, Mapping[str, str]]
"""The tags of each secret by its ARN: of those that could be looked at."""


class ReadSettings(StepSettings):
    """Policy for certificates, the buckets of CA bundles, and the addresses of sources.

    ``group_tag``: the key of the endpoint's tag that names the source's group.
    """

    policy: Json[Policy]
    allowed_bundle_buckets: Json[tuple[str, ...]]
    probe_addresses: Json[AddressPolicy]
    group_tag: str = ""


def run(event: StepEvent, context: StepContext[ReadSettings]) -> Nothing:
    """Read, check and write down the material.

    Raises:
        Refused: with every finding about secrets, bundle and certificates.
        Busy: the endpoint is being created or modified by somebody else.
    """
    source = event.source.spec
    state = context.remembered(event)
    endpoint = _endpoint(event, context, state)
    findings = [*_forbidden(source, context)]
    tags, group = _consented(source, context, endpoint, findings)
    if any(found.cause in CLOSED for found in findings):
        context.write(event, MATERIAL, Material(endpoint=endpoint, findings=tuple(findings)))
        raise Refused.because(*findings)
    credentials = _credentials(source, context, tags, findings)
    findings.extend(_vouched(source, endpoint, credentials, tags))
    pair = _secret(source.server_certificate, context, tags, findings)
    in_acm = _in_acm(source, context, findings, served=state.served_leaf)
    bundle, bundle_version = _bundle(source, context, tags, findings)
    taken = _intake(source, context, pair, in_acm, bundle=bundle, findings=findings)
    public = source.trust_word is TrustWord.PUBLIC
    trusted = _trusted(context, state, endpoint, taken.ca_digest, public=public)
    ca_pem, ca_digest = taken.ca_pem.decode() or None, taken.ca_digest
    if public:
        ca_pem = context.roots.public_in(trusted.pem or "") if trusted else None
        ca_digest = bundle_digest(ca_pem) if ca_pem else None
    if endpoint is not None and endpoint.arn.lower() not in state.owned:
        findings.extend(_owned_by_another(event, context, endpoint))
    material = Material(
        endpoint=endpoint,
        group=group,
        trusted=trusted,
        bundle_pem=ca_pem,
        bundle_digest=ca_digest,
        public=public,
        named=source.trust_word is not None,
        leaf_sha256=taken.leaf_sha256,
        leaf_pem=taken.leaf_pem.decode() if taken.leaf_pem else None,
        chain_pem=taken.chain_pem.decode() or None,
        key_kind=taken.key_kind,
        username=credentials.text("username") if credentials else None,
        versions=Versions(
            credentials=credentials.version if credentials else None,
            server_certificate=pair.version if pair else None,
            ca_bundle=bundle_version,
        ),
        findings=errors_first(findings),
    )
    context.write(event, MATERIAL, material)
    if errors_in(material.findings):
        raise Refused.because(*material.findings)
    return Nothing()


def _found(cause: Cause, seen: str, severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.INTAKE, seen=seen, severity=severity)


def _forbidden(source: Source, context: StepContext[ReadSettings]) -> Iterator[Finding]:
    """Yield that nobody may connect there, DMS no more than the probe, whether or not it probes."""
    policy = context.settings.probe_addresses
    for host, port in (
        (source.host, source.port),
        *(node_of(node, source.port) for node in source.nodes),
    ):
        objection = objection_to(host, port, policy, context.resolve)
        if objection is not None:
            yield _found(Cause.ADDRESS_FORBIDDEN, objection)


def _consented(
    source: Source,
    context: StepContext[ReadSettings],
    endpoint: Endpoint | None,
    findings: list[Finding],
) -> tuple[Tags, str | None]:
    """Return the tags of every secret that can be looked at, and the group of the endpoint.

    An owner who has not consented is a finding, and so is a secret that cannot be looked at.
    """
    group = None
    if endpoint is not None:
        what = f"the endpoint {endpoint.identifier}"
        of_endpoint = context.dms.tags(endpoint.arn)
        refusal = not_allowed(what, endpoint.arn, of_endpoint, source.name)
        findings += [refusal] if refusal else []
        installation = context.settings.installation
        foreign = of_an_installation(endpoint.identifier, endpoint.arn, of_endpoint, installation)
        findings += [foreign] if foreign else []
        group = None if refusal else tagged_group(of_endpoint, context.settings.group_tag)
    described = {}
    for arn in dict.fromkeys(source.secrets):
        tags = context.secrets.tags(arn)
        if isinstance(tags, Finding):
            findings.append(tags)
            continue
        refusal = not_allowed("the secret", arn, tags, source.name)
        findings += [refusal] if refusal else []
        described[arn] = tags
    return described, group


def _vouched(
    source: Source,
    endpoint: Endpoint | None,
    credentials: Secret | None,
    tags: Tags,
) -> Iterator[Finding]:
    """Yield that nobody whose data it is has named the host."""
    fields = endpoint.fields if endpoint else None
    if not needs_vouching(source, fields) or (source.credentials and credentials is None):
        return
    if credentials and source.credentials_mode is CredentialsMode.SECRET:
        return  # DMS goes where the secret says, and _credentials demands that the source agrees
    places = vouched_places(
        secret_arn=source.credentials,
        secret_host=credentials.text("host") if credentials else None,
        secret_port=credentials.text("port") if credentials else None,
        tags=tags.get(source.credentials or "", {}),
        endpoint=fields,
    )
    if (found := host_not_vouched(source, places)) is not None:
        yield found


def _owned_by_another(
    event: StepEvent, context: StepContext[ReadSettings], endpoint: Endpoint
) -> Iterator[Finding]:
    """Hold the endpoint by identifier and by ARN, now that both are known, or say who has it."""
    names = (endpoint.identifier, endpoint.arn)
    if event.mode is Mode.PLAN:
        owners = {context.store.endpoint_owner(name) for name in names}
    else:
        owners = {context.store.hold(event.name, event.run).own_endpoint(*names)}
    for owner in sorted(owner for owner in owners if owner and owner != event.name):
        seen = f"{endpoint.identifier} already belongs to the source {owner}"
        yield _found(Cause.ENDPOINT_TAKEN, seen)


def _secret(
    arn: str | None, context: StepContext[ReadSettings], tags: Tags, findings: list[Finding]
) -> Secret | None:
    """Return a secret whose owner has consented, which its tags have shown."""
    if arn is None or arn not in tags:
        return None
    read = context.secrets.read(arn)
    if isinstance(read, Finding):
        findings.append(read)
        return None
    return read


def _credentials(
    source: Source, context: StepContext[ReadSettings], tags: Tags, findings: list[Finding]
) -> Secret | None:
    """Return the credentials, checked as DMS will read them."""
    secret = _secret(source.credentials, context, tags, findings)
    if secret is None:
        return None
    by_secret = source.credentials_mode is CredentialsMode.SECRET
    needed = ("username", "password", *(("host", "port") if by_secret else ()))
    findings.extend(secret.missing(*needed))
    broken = secret.not_text("username", "password", "host", "port")
    if broken:
        findings.extend(broken)
        return None
    if by_secret:
        for key, wanted in (("host", source.host), ("port", str(source.port))):
            had = secret.text(key)
            if had is not None and not same_host(had, wanted):
                seen = f"{key} in {secret.arn} is not the source's {key}, {wanted}"
                findings.append(_found(Cause.SECRET_DISAGREES, seen))
    password = secret.text("password") or ""
    if any(sign in REFUSED_IN_PASSWORDS for sign in password):
        seen = f"the password in {secret.arn} has a character that DMS does not take"
        findings.append(_found(Cause.PASSWORD_UNUSABLE, seen))
    elif any(sign in BREAKS_CONNECTION_STRINGS or sign.isspace() for sign in password):
        seen = (
            f"the password in {secret.arn} has a character that breaks libpq's connection string: "
            "a blank, a quote or a backslash"
        )
        findings.append(_found(Cause.PASSWORD_UNUSABLE, seen))
    elif any(sign in RISKY_IN_PASSWORDS for sign in password):
        seen = f"the password in {secret.arn} has a character that DMS asks rotations to leave out"
        findings.append(_found(Cause.PASSWORD_UNUSABLE, seen, Severity.WARNING))
    return secret


def _bundle(
    source: Source, context: StepContext[ReadSettings], tags: Tags, findings: list[Finding]
) -> tuple[bytes | None, str | None]:
    """Return the CA bundle as it was read, and its version."""
    where = source.ca_bundle
    if where is None:
        return None, None
    if source.trust_word is not None:
        named = named_roots(source.trust_word, source.host, context)
        findings.extend(named.findings)
        return (named.pem.encode(), named.version) if named.pem else (None, None)
    if where.startswith("s3://"):
        bucket = where.removeprefix("s3://").partition("/")[0]
        allowed = context.settings.allowed_bundle_buckets
        if bucket not in allowed:
            listed = ", ".join(allowed) or "none"
            seen = f"bucket {bucket} is not one of the allowed buckets: {listed}"
            findings.append(_found(Cause.BUCKET_NOT_ALLOWED, seen))
            return None, None
        read = context.bundles.read_bundle(where)
        if isinstance(read, Finding):
            findings.append(read)
            return None, None
        body, version = read.body, read.version
    else:
        secret = _secret(where, context, tags, findings)
        if secret is None:
            return None, None
        parts = material_from_secret(secret)
        findings.extend(parts.findings)
        if parts.ca is None:
            findings.append(parts.missing_ca(secret.arn))
            return None, None
        body, version = parts.ca, secret.version
    return body, version


@dataclass(frozen=True)
class InAcm:
    """Leaf and chain of a certificate that lives in ACM, in PEM."""

    leaf: bytes
    chain: bytes | None


def _in_acm(
    source: Source,
    context: StepContext[ReadSettings],
    findings: list[Finding],
    *,
    served: str | None,
) -> InAcm | None:
    """Return the intended certificate, when it lives in ACM. Public parts; its key stays away.

    Args:
        served: SHA-256 of the certificate that was last seen served, most often the same.
    """
    arn = source.acm_certificate
    if arn is None:
        return None
    try:
        read = context.acm(context.settings.installation).read(arn, expected=served)
    except Refused as refused:
        read = refused.seen or "ACM does not give it"
    if isinstance(read, str):
        findings.append(_found(Cause.INTENDED_CERTIFICATE_UNREADABLE, f"{arn}: {read}"))
        return None
    leaf, chain = read
    return InAcm(leaf.encode(), chain.encode() or None)


def _intake(
    source: Source,
    context: StepContext[ReadSettings],
    pair: Secret | None,
    in_acm: "InAcm | None",
    *,
    bundle: bytes | None,
    findings: list[Finding],
) -> "certificate.Intake":
    """Return what the pair and the bundle hold, in order, with everything wrong said at once.

    Args:
        in_acm: leaf and chain of a certificate that lives in ACM, instead of a pair.
    """
    if source.ca_bundle_sha256 is not None and bundle is not None:
        digest = hashlib.sha256(bundle).hexdigest()
        if digest != source.ca_bundle_sha256:
            said = source.ca_bundle_sha256
            seen = f"the CA bundle's SHA-256 is {digest[:16]}…, the source says {said[:16]}…"
            findings.append(_found(Cause.BUNDLE_DIGEST_DIFFERS, seen))
    parts = material_from_secret(pair) if pair is not None else None
    if pair is not None and parts is not None:
        findings.extend((*parts.findings, *parts.missing(pair.arn)))
        if parts.ca is None and source.ca_bundle is None and source.ssl_mode.verifies:
            seen = f"{source.ssl_mode.value} needs a CA, and neither source nor {pair.arn} has one"
            findings.append(_found(Cause.CA_BUNDLE_MISSING, seen))
    taken = certificate.check_material(
        certificate=in_acm.leaf if in_acm else (parts.certificate if parts else None),
        private_key=parts.private_key if parts else None,
        chain=in_acm.chain if in_acm else (parts.chain if parts else None),
        ca=bundle if bundle is not None else (parts.ca if parts else None),
        host=source.host,
        ssl_mode=source.ssl_mode,
        now=context.now(),
        policy=context.settings.policy,
    )
    findings.extend(taken.findings)
    return taken


def _endpoint(
    event: StepEvent, context: StepContext[ReadSettings], state: SourceState
) -> Endpoint | None:
    """Return the endpoint as DMS describes it; the one that we remember before the one named."""
    endpoint = context.dms.endpoint(state.endpoint_arn or event.source.spec.endpoint)
    if endpoint is not None and endpoint.status in IN_PASSING:
        raise Busy(f"endpoint {endpoint.identifier} is {endpoint.status}")
    return endpoint


def _trusted(
    context: StepContext[ReadSettings],
    state: SourceState,
    endpoint: Endpoint | None,
    intended: str | None,
    *,
    public: bool,
) -> Trusted | None:
    """Return the CA that the endpoint trusts now.

    A DMS certificate is immutable, so its digest is remembered by its ARN; it is read only when it
    is unknown, or differs from the source's own bundle. Of ``public`` trust nobody knows that one
    yet, and the CAs are needed: those of one owner are known by their digest.

    Args:
        intended: digest of the source's own bundle.
    """
    arn = endpoint.fields.certificate_arn if endpoint else None
    if arn is None or intended is None:
        return None
    known = state.certificate_digest
    if known is not None and equal("certificate_arn", state.certificate_arn, arn):
        owned = context.roots.owners_with(known) if public else None
        if owned or (known == intended and not public):
            return Trusted(arn=arn, digest=known, pem=owned)
    certificate = context.dms.certificate_by_arn(arn)
    if certificate is None:
        return None
    return Trusted(arn=arn, digest=certificate.digest, pem=certificate.pem)
