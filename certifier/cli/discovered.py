"""What ``certifier discover`` finds: each PostgreSQL endpoint, and what connects beside them.

Each list of DMS is read once and in pages; nothing is tested.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, get_args

from certifier.aws.clients import Clients
from certifier.aws.deployment import find_deployment
from certifier.aws.dms import Dms
from certifier.aws.secrets import SecretFacts, Secrets
from certifier.aws.store import Store
from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.trust_sets import TrustWord
from certifier.cli.progress import ProgressLine
from certifier.endpoint.facts import (
    Connection,
    DataProvider,
    DmsCertificate,
    Endpoint,
    ReplicationConfig,
    ReplicationTask,
)
from certifier.errors import Refused, Unexpected
from certifier.identity import is_full_secret_arn
from certifier.models import Fact
from certifier.ownership import SOURCE_TAG
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.rds_names import rds_name
from certifier.roots import Roots
from certifier.run.proposal import proposed_words
from certifier.source import Engine
from certifier.source_values import word_mistake
from certifier.text import counted
from certifier.vocabulary import SslMode

ENGINES = frozenset(get_args(Engine))
PROVIDER_ENGINES = frozenset({"postgres", "aurora-postgresql"})
"""As ``DescribeDataProviders`` calls them (botocore: dms#CreateDataProviderMessage.Engine)."""
PROBES_AT_ONCE = 8
PROBE_SECONDS = 10.0


class Discovered(Fact):
    """One endpoint, as far as DMS and (if asked) our probe report it.

    Attributes:
        ca_days_left: days to the last expiry among the CAs of its DMS certificate; ``None``: it has
            none, or none with a date.
        connections: the status of the last test, by replication instance.
        tasks: the status of each task, by identifier.
        consents: the tag ``certifier:source`` of the endpoint: which sources may use it; ``None``:
            none may.
        secret: as DMS shows it: a name, or an ARN with or without its suffix; ``secret_arn``: in
            full, when it is, or can be looked at.
        secret_consents: that of its secret; ``None`` also when it cannot be looked at.
        ca_bundle: the word that stands for its CAs, or (probed) for the root of the served chain,
            as a source would name them; ``None``: none does.
        could_be: the strictest mode that would connect, by our probe; ``None``: not probed, or no
            mode does.
        why_not: why a stricter mode would not connect.
        source: the registered source that keeps it; ``None``: none does, or there is no
            installation here.
    """

    kind: Literal["endpoint"] = "endpoint"
    identifier: str
    arn: str
    endpoint_type: str
    engine: str
    host: str | None
    port: int | None
    database: str | None
    username: str | None = None
    secret: str | None
    secret_arn: str | None = None
    ssl_mode: SslMode
    certificate_arn: str | None
    ca_days_left: int | None
    authentication: str
    read_only: bool
    connections: Mapping[str, str]
    tasks: Mapping[str, str]
    consents: str | None = None
    secret_consents: str | None = None
    ca_bundle: TrustWord | None = None
    could_be: SslMode | None = None
    why_not: str | None = None
    source: str | None = None


class SurfaceEnd(Fact):
    """A PostgreSQL server to which a surface connects.

    ``endpoint``: the identifier of the one through which it does; a data provider has none.
    ``ca_days_left``: as for an endpoint.
    """

    endpoint: str | None = None
    host: str | None
    port: int | None
    ssl_mode: SslMode
    certificate_arn: str | None
    ca_days_left: int | None


class Surface(Fact):
    """What connects to PostgreSQL as well, and is not managed.

    A homogeneous data migration connects through the data providers of its migration project.

    Attributes:
        ends: at least one; a serverless replication may have PostgreSQL at both of its ends.
        why_not_managed: the reason, for people.
    """

    kind: Literal["data_provider", "serverless_replication"]
    identifier: str
    arn: str
    ends: tuple[SurfaceEnd, ...]
    managed: Literal[False] = False
    why_not_managed: str


_NO_TEST = (
    "DMS tests no connection of a data provider, and its migration projects must be closed to"
    " change it"
)
_UNDER_SERVERLESS = (
    "DMS tests the connections of a serverless replication only when it starts, and changes no"
    " endpoint under it"
)


@dataclass(frozen=True)
class Seen:
    """All that the command looks at.

    Attributes:
        bundles: the PEM of the CAs that an endpoint trusts, by its ARN.
        unlisted: why some of the surfaces may be missing, if so.
    """

    endpoints: Sequence[Discovered]
    bundles: Mapping[str, str | None]
    surfaces: Sequence[Surface]
    unlisted: str | None


def look_around(
    services: Clients, stack: str, roots: Roots, progress: ProgressLine, *, probing: bool
) -> Seen:
    """Return every PostgreSQL endpoint of the account and Region, and what is not managed.

    Raises:
        Refused, Unexpected, Retryable: AWS cannot be read.
    """
    dms, secrets = Dms(services.client("dms")), Secrets(services.client("secretsmanager"))
    account = _account(dms, progress)
    now = services.clock.now()
    looked = _with_consents(_endpoints(account, now), dms, secrets, progress)
    progress.show("reading what Certifier keeps")
    keepers = _keepers(services, stack)
    seen = [
        (_with_source(_with_word(each, pem, roots, now), keepers), pem)
        for each, pem in progress.counted("reading CAs", looked, len(looked))
    ]
    found = [discovered for discovered, _ in seen]
    if probing:
        with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
            probed = pool.map(lambda pair: _probed(pair[0], pair[1], roots), seen)
            found = list(progress.counted("probing hosts", probed, len(seen)))
    progress.show("reading data providers")
    surfaces, unlisted = _surfaces(dms, account, found, now)
    return Seen(found, {each.arn: pem for each, pem in seen}, surfaces, unlisted)


@dataclass(frozen=True)
class _Account:
    """What DMS lists; certificates by ARN, connections by endpoint, tasks by either end."""

    endpoints: Sequence[Endpoint]
    certificates: Mapping[str, DmsCertificate]
    connections: Mapping[str, Sequence[Connection]]
    tasks: Mapping[str, Sequence[ReplicationTask]]


_Looked = Sequence[tuple[Discovered, str | None]]
"""Endpoints, each with the PEM of the CAs that it trusts."""


def _account(dms: Dms, progress: ProgressLine) -> _Account:
    """Return what DMS lists, each list once."""
    endpoints = progress.counted("reading endpoints", dms.all_endpoints())
    postgres = [each for each in endpoints if each.engine in ENGINES]
    connections: dict[str, list[Connection]] = defaultdict(list)
    for connection in progress.counted("reading connection tests", dms.all_connections()):
        connections[connection.endpoint_arn].append(connection)
    tasks: dict[str, list[ReplicationTask]] = defaultdict(list)
    for task in progress.counted("reading tasks", dms.all_tasks()):
        for end in {task.source_endpoint_arn, task.target_endpoint_arn}:
            tasks[end].append(task)
    certificates = progress.counted("reading certificates", dms.all_certificates())
    return _Account(
        endpoints=sorted(postgres, key=lambda endpoint: endpoint.identifier),
        certificates={each.arn: each for each in certificates},
        connections=connections,
        tasks=tasks,
    )


def _endpoints(account: _Account, now: datetime) -> _Looked:
    """Return every PostgreSQL endpoint."""
    return [_of(endpoint, account, now) for endpoint in account.endpoints]


def _of(endpoint: Endpoint, account: _Account, now: datetime) -> tuple[Discovered, str | None]:
    fields = endpoint.fields
    certificate = account.certificates.get(fields.certificate_arn or "")
    pem = certificate.pem if certificate else None
    anchors = _facts(pem or "")
    discovered = Discovered(
        identifier=endpoint.identifier,
        arn=endpoint.arn,
        endpoint_type=endpoint.endpoint_type,
        engine=endpoint.engine,
        host=fields.server_name,
        port=fields.port,
        database=fields.database_name,
        username=fields.username,
        secret=fields.secret_id,
        ssl_mode=fields.ssl_mode or SslMode.NONE,
        certificate_arn=fields.certificate_arn,
        ca_days_left=_last_expiry(anchors, now),
        authentication=endpoint.authentication,
        read_only=endpoint.read_only,
        connections={
            each.instance_arn: each.status for each in account.connections.get(endpoint.arn, ())
        },
        tasks={task.identifier: task.status for task in account.tasks.get(endpoint.arn, ())},
    )
    return discovered, pem


def _keepers(services: Clients, stack: str) -> Mapping[str, str]:
    """Return which source has which endpoint, by identifier or ARN in lower case.

    Empty where no Certifier is deployed yet, or one may not look into its table.
    """
    try:
        deployment = find_deployment(services.client("cloudformation"), stack)
        states = Store(services.client("dynamodb"), deployment.table).states_all()
    except Refused:
        return {}
    return {
        key.lower(): state.name
        for state in states
        for key in (state.endpoint, state.endpoint_arn, *state.owned)
        if key
    }


def _with_source(discovered: Discovered, keepers: Mapping[str, str]) -> Discovered:
    for key in (discovered.arn, discovered.identifier):
        if (name := keepers.get(key.lower())) is not None:
            return discovered.model_copy(update={"source": name})
    return discovered


def _with_consents(looked: _Looked, dms: Dms, secrets: Secrets, progress: ProgressLine) -> _Looked:
    """Return the endpoints with what their owners, and those of their secrets, consent to."""
    progress.show(f"reading the tags of {counted(len(looked), 'endpoint')}")
    tags = dms.tags_of(each.arn for each, _ in looked)
    named = {each.secret for each, _ in looked if each.secret is not None}
    progress.show(f"reading the tags of {counted(len(named), 'secret')}")
    known = secrets.described_all(named)
    return [
        (_with_consent(each, tags[each.arn], known.get(each.secret or "")), pem)
        for each, pem in looked
    ]


def _with_consent(
    discovered: Discovered, tags: Mapping[str, str], secret: SecretFacts | None
) -> Discovered:
    shown = discovered.secret
    by_form = shown if shown is not None and is_full_secret_arn(shown) else None
    return discovered.model_copy(
        update={
            "consents": tags.get(SOURCE_TAG),
            "secret_arn": secret.arn if secret else by_form,
            "secret_consents": secret.tags.get(SOURCE_TAG) if secret else None,
        }
    )


def _surfaces(
    dms: Dms, account: _Account, endpoints: Sequence[Discovered], now: datetime
) -> tuple[list[Surface], str | None]:
    """Return what is not managed, and why some of it may be missing, if so."""
    by_arn = {each.arn: each for each in endpoints}
    found = [
        _through(config, ends)
        for config in dms.replication_configs()
        if (ends := [by_arn[arn] for arn in config.endpoint_arns if arn in by_arn])
    ]
    try:
        providers = [one for one in dms.data_providers() if one.engine in PROVIDER_ENGINES]
    except (Refused, Unexpected) as problem:
        return found, f"data providers could not be listed: {problem}"
    for provider in providers:
        certificate = account.certificates.get(provider.certificate_arn or "")
        pem = certificate.pem if certificate else None
        anchors = map(certificate_facts, certificates_in(pem or ""))
        found.append(_of_provider(provider, _last_expiry(tuple(anchors), now)))
    return found, None


def _through(config: ReplicationConfig, endpoints: Sequence[Discovered]) -> Surface:
    return Surface(
        kind="serverless_replication",
        identifier=config.identifier,
        arn=config.arn,
        ends=tuple(
            SurfaceEnd(
                endpoint=endpoint.identifier,
                host=endpoint.host,
                port=endpoint.port,
                ssl_mode=endpoint.ssl_mode,
                certificate_arn=endpoint.certificate_arn,
                ca_days_left=endpoint.ca_days_left,
            )
            for endpoint in endpoints
        ),
        why_not_managed=_UNDER_SERVERLESS,
    )


def _of_provider(provider: DataProvider, days: int | None) -> Surface:
    end = SurfaceEnd(
        host=provider.host,
        port=provider.port,
        ssl_mode=provider.ssl_mode or SslMode.NONE,
        certificate_arn=provider.certificate_arn,
        ca_days_left=days,
    )
    return Surface(
        kind="data_provider",
        identifier=provider.name,
        arn=provider.arn,
        ends=(end,),
        why_not_managed=_NO_TEST,
    )


@lru_cache(maxsize=256)
def _facts(pem: str) -> tuple[CertificateFacts, ...]:
    """Return the facts of a bundle, which many endpoints of an account share."""
    return tuple(certificate_facts(der) for der in certificates_in(pem))


def _last_expiry(anchors: Sequence[CertificateFacts], now: datetime) -> int | None:
    """Return the days until no CA of a bundle is valid any more."""
    dates = [facts.not_after for facts in anchors if facts.not_after is not None]
    return (max(dates) - now).days if dates else None


def _with_word(discovered: Discovered, pem: str | None, roots: Roots, now: datetime) -> Discovered:
    """Return the endpoint with the word that stands for every CA that it trusts, if one does.

    What has expired does not count, nor do intermediates.
    """
    facts = _facts(pem or "")
    anchors = [one for one in facts if one.self_signed and one.not_after and one.not_after > now]
    words = [set(roots.words_for(anchor)) for anchor in anchors]
    common = set.intersection(*words) if words else set()
    return discovered.model_copy(update={"ca_bundle": _fitting(discovered, sorted(common))})


def _fitting(discovered: Discovered, words: Iterable[TrustWord]) -> TrustWord | None:
    """Return the narrowest word that a source of this endpoint could name."""
    host, full = discovered.host, discovered.ssl_mode is not SslMode.VERIFY_CA
    narrowest_first = sorted(words, key=lambda word: word is TrustWord.PUBLIC)
    return next(
        (
            word
            for word in narrowest_first
            if host is not None and word_mistake(word, host, verify_full=full) is None
        ),
        None,
    )


def _probed(discovered: Discovered, pem: str | None, roots: Roots) -> Discovered:
    """Return the endpoint with what our probe saw from here, as strict as DMS could be.

    Where the endpoint's CAs do not verify the chain, or there are none, and a word stands for its
    root, that is what it is looked at with.
    """
    if discovered.host is None:
        why = "its host is in the secret"
        return discovered.model_copy(update={"why_not": why})
    report = _report(discovered, discovered.host, pem)
    if not report.verdicts.verify_ca.passed:
        word = _fitting(discovered, proposed_words(report, roots.words_for))
        if word is not None:
            trust = roots.offline(word, rds_name(discovered.host))
            report = _report(discovered, discovered.host, trust)
            discovered = discovered.model_copy(update={"ca_bundle": word})
    could, why_not = _strictest(report)
    return discovered.model_copy(update={"could_be": could, "why_not": why_not})


def _report(discovered: Discovered, host: str, pem: str | None) -> ProbeReport:
    return probe(
        ProbeRequest(
            host,
            port=discovered.port or 5432,
            ssl_mode=SslMode.VERIFY_FULL,
            ca_bundle=pem.encode() if pem else None,
            timeout=PROBE_SECONDS,
            policy=AddressPolicy.anywhere(),
        )
    )


def _strictest(report: ProbeReport) -> tuple[SslMode | None, str | None]:
    """Return the strictest mode that would connect, and why the next stricter one would not."""
    why = None
    for mode in (SslMode.VERIFY_FULL, SslMode.VERIFY_CA, SslMode.REQUIRE):
        verdict = report.verdicts.of(mode)
        if verdict.passed:
            return mode, why
        why = f"{mode.value}: {verdict.seen}"
    return None, why
