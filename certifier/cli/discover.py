"""``certifier discover``: every PostgreSQL endpoint of the account and Region, and what it lacks.

What else connects to PostgreSQL with a mode and a certificate, and is not managed, is listed with
the reason: data providers, and serverless replications with their endpoints.

Reads only, and in pages: DMS is asked for six lists and the tags of the endpoints, Secrets Manager
for those of their secrets, by which owners consent; nothing is tested. With ``--probe`` each host
is looked at from this machine, without a login, so that it can be said which stricter mode would
connect.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from rich.text import Text

from certifier.aws.clients import Clients
from certifier.aws.deployment import find_deployment
from certifier.aws.dms import Dms
from certifier.aws.secrets import SecretFacts, Secrets
from certifier.aws.store import Store
from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.trust_sets import TrustWord
from certifier.cli.installation import add_options, clients, complain, guarded
from certifier.cli.new_files import write_new
from certifier.cli.progress import ProgressLine
from certifier.cli.terminal import Terminal
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
from certifier.run.consent import consent_command, consenting, consents
from certifier.run.proposal import proposed_words
from certifier.source import Engine, Source, is_database, word_mistake
from certifier.text import counted, printable
from certifier.vocabulary import SslMode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

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


class Surface(Fact):
    """What connects to PostgreSQL as well, and is not managed.

    Attributes:
        of: the endpoint through which a serverless replication connects.
        ca_days_left: as for an endpoint.
        why_not_managed: the reason, for people.
    """

    kind: Literal["data_provider", "serverless_replication"]
    identifier: str
    arn: str
    of: str | None = None
    host: str | None
    port: int | None
    ssl_mode: SslMode
    certificate_arn: str | None
    ca_days_left: int | None
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


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "discover",
        help="read-only: every PostgreSQL endpoint, its mode, CA, tasks, and what could be raised",
        description="List the PostgreSQL endpoints of the account and Region. Changes nothing and"
        " has DMS test nothing.",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="look at each host from here, without login, and say which mode would connect",
    )
    parser.add_argument(
        "--emit",
        type=Path,
        metavar="DIR",
        help="write a source file to start from for each that no source keeps yet",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, roots: Roots | None = None) -> int:
    """List the endpoints: 0; 2 when AWS cannot be read or a file cannot be written."""
    return guarded("discover", lambda: _run(args, roots or Roots()))


def _run(args: argparse.Namespace, roots: Roots) -> int:
    services = clients(args)
    dms, secrets = Dms(services.client("dms")), Secrets(services.client("secretsmanager"))
    with ProgressLine() as progress:
        account = _account(dms, progress)
        now = services.clock.now()
        looked = _with_consents(_endpoints(account, now), dms, secrets, progress)
        progress.show("reading what Certifier keeps")
        keepers = _keepers(services, args.stack)
        seen = [
            (_with_source(_with_word(each, pem, roots, now), keepers), pem)
            for each, pem in progress.counted("reading CAs", looked, len(looked))
        ]
        found = [discovered for discovered, _ in seen]
        if args.probe:
            with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
                probed = pool.map(lambda pair: _probed(pair[0], pair[1], roots), seen)
                found = list(progress.counted("probing hosts", probed, len(seen)))
        progress.show("reading data providers")
        surfaces, unlisted = _surfaces(dms, account, found, now)
    if args.json:
        listed: list[Fact] = [*found, *surfaces]
        print(json.dumps([each.model_dump(mode="json") for each in listed], indent=2))
    else:
        _show(found, probed=args.probe)
        _show_surfaces(surfaces)
    if unlisted is not None:
        print(f"certifier discover: {printable(unlisted, 2000)}", file=sys.stderr)
    if args.emit is None:
        return 0
    try:
        written = _emit(args.emit, found, {d.arn: pem for d, pem in seen})
    except OSError as error:
        return complain("discover", f"{error.filename}: {error.strerror}")
    for line in [] if args.json else written:
        print(printable(line, 2000))
    return 0


# -- looking


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
        _through(config, by_arn[arn])
        for config in dms.replication_configs()
        for arn in (config.source_endpoint_arn, config.target_endpoint_arn)
        if arn in by_arn
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


def _through(config: ReplicationConfig, endpoint: Discovered) -> Surface:
    return Surface(
        kind="serverless_replication",
        identifier=config.identifier,
        arn=config.arn,
        of=endpoint.identifier,
        host=endpoint.host,
        port=endpoint.port,
        ssl_mode=endpoint.ssl_mode,
        certificate_arn=endpoint.certificate_arn,
        ca_days_left=endpoint.ca_days_left,
        why_not_managed=_UNDER_SERVERLESS,
    )


def _of_provider(provider: DataProvider, days: int | None) -> Surface:
    return Surface(
        kind="data_provider",
        identifier=provider.name,
        arn=provider.arn,
        host=provider.host,
        port=provider.port,
        ssl_mode=provider.ssl_mode or SslMode.NONE,
        certificate_arn=provider.certificate_arn,
        ca_days_left=days,
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


# -- showing


def _show(found: Sequence[Discovered], *, probed: bool) -> None:
    terminal = Terminal()
    if not found:
        terminal.line("No PostgreSQL endpoint in this account and Region.")
        return
    for each in found:
        _show_one(terminal, each, probed=probed)
    weak = sum(1 for each in found if not each.ssl_mode.verifies)
    kept = sum(1 for each in found if each.source is not None)
    terminal.gap()
    total = counted(len(found), "endpoint")
    terminal.line(f"{total} · {weak} verify nothing · {kept} kept by Certifier", style="dim")


def _show_surfaces(surfaces: Sequence[Surface]) -> None:
    """Print what is not managed, below what is."""
    if not surfaces:
        return
    terminal = Terminal()
    terminal.gap()
    for each in surfaces:
        place = f"{each.host}:{each.port}" if each.host else "host in its secret"
        through = f" through {each.of}" if each.of else ""
        kind = f"{each.kind.replace('_', ' ')}{through}"
        style = "green" if each.ssl_mode.verifies else "yellow"
        parts = [Text(printable(each.identifier), style="bold")]
        parts.append(Text(f"  {each.ssl_mode.value}", style=style))
        parts.append(Text(printable(f"  {kind} · {place}")))
        terminal.line(*parts, hang=2)
        details = [] if each.certificate_arn is None else [each.certificate_arn]
        if each.ca_days_left is not None:
            details.append(f"CA {counted(each.ca_days_left, 'day')} left")
        details.append(f"managed: no, because {each.why_not_managed}")
        terminal.line(printable(" · ".join(details), 2000), indent=4)


def _show_one(terminal: Terminal, each: Discovered, *, probed: bool) -> None:
    """Print an endpoint in two lines: what it is, and what there is to do about it."""
    style = "green" if each.ssl_mode.verifies else "yellow"
    place = f"{each.host}:{each.port}" if each.host else "host in its secret"
    parts = [Text(printable(each.identifier), style="bold")]
    parts.append(Text(f"  {each.ssl_mode.value}", style=style))
    kept = f"kept by {each.source}" if each.source else "not kept"
    parts.append(Text(printable(f"  {kept} · {each.endpoint_type} · {place}"), style=""))
    terminal.line(*parts, hang=2)
    terminal.line(printable(" · ".join(_details(each, probed=probed)), 2000), indent=4)


def _details(each: Discovered, *, probed: bool) -> Iterator[str]:
    if each.ca_days_left is not None:
        yield f"CA {counted(each.ca_days_left, 'day')} left"
    yield ", ".join(sorted(set(each.connections.values()))) or "never tested"
    yield ", ".join(f"{name} {status}" for name, status in sorted(each.tasks.items())) or "no task"
    if each.source is None:
        yield f"consents to {_consents(each)}"
    advice = _advice(each, probed=probed)
    if advice:
        yield advice


def _consents(each: Discovered) -> str:
    """Return which sources may use the endpoint, and its secret where that says otherwise."""
    endpoint = _whom(each.consents)
    if each.secret is None or each.secret_consents == each.consents:
        return endpoint
    return f"{endpoint}; its secret: {_whom(each.secret_consents)}"


def _whom(tag: str | None) -> str:
    words = consenting(tag)
    return "any source" if words in ("+", "*") else words.replace(" ", ", ") or "nobody"


def _advice(each: Discovered, *, probed: bool) -> str:
    """Return what could be better, in a few words, and which word would stand for the CA."""
    said = _of_mode(each, probed=probed)
    return f"{said}; ca_bundle {each.ca_bundle.value}" if each.ca_bundle else said


def _of_mode(each: Discovered, *, probed: bool) -> str:
    if each.read_only:
        return "managed by a zero-ETL integration; left alone"
    if each.authentication == "iam":
        return "uses IAM authentication; left alone"
    if each.ssl_mode is SslMode.VERIFY_FULL:
        return ""
    if not probed:
        return "could perhaps be raised: --probe"
    if each.could_be is not None and each.could_be.strength > each.ssl_mode.strength:
        return f"could be {each.could_be.value} today" + (
            f"; {each.why_not}" if each.why_not else ""
        )
    return each.why_not or ""


# -- files to start from


def _emit(
    folder: Path, found: Sequence[Discovered], bundles: Mapping[str, str | None]
) -> list[str]:
    """Write a source file for each endpoint, all of them whole or none; return what to print.

    Nothing that is there already is overwritten, and every gap that a person has to fill is named.

    Raises:
        OSError: a file cannot be written, or is there.
    """
    contents: dict[Path, str] = {}
    lines: list[str] = []
    taken: set[str] = set()
    for each in found:
        if each.read_only or each.authentication == "iam" or each.source is not None:
            continue
        name = _name(each.identifier, taken)
        taken.add(name)
        file = folder / f"{name}.json"
        contents[file] = json.dumps(_source(each, name), indent=2, ensure_ascii=False) + "\n"
        pem = bundles.get(each.arn)
        if each.ssl_mode.verifies and each.ca_bundle is None and pem:
            contents[folder / f"{name}-ca.pem"] = pem
        gaps = list(_gaps(each, pem))
        lines.append(f"wrote {file}" + (f"; fill in {'; '.join(gaps)}" if gaps else ""))
        lines += _commands(each, name)
    write_new(contents)
    return lines


def _gaps(each: Discovered, pem: str | None) -> Iterator[str]:
    """Yield what the file cannot say, since DMS does not."""
    if each.host is None:
        yield "host and port (they are in the secret)"
    if each.ssl_mode.verifies and each.ca_bundle is None:
        held = "upload the PEM file beside it" if pem else "its DMS certificate cannot be read"
        yield f"ca_bundle ({held})"
    if each.secret is not None and each.secret_arn is None:
        yield f"credentials (the full ARN of the secret {each.secret}, which cannot be looked at)"
    elif each.secret is None and each.username is not None:
        yield (
            f"credentials (it logs in as {each.username} with a password that nobody can read; "
            "leave them out, and a change is rehearsed by the probe alone)"
        )
    if not each.connections and not each.tasks:
        yield "replication_instances (none has tested it, and it has no task)"


def _commands(each: Discovered, name: str) -> Iterator[str]:
    """Yield the commands by which the owners consent to the source, where they have not."""
    wanted = [(each.arn, each.consents)]
    if each.secret_arn is not None:
        wanted.append((each.secret_arn, each.secret_consents))
    for arn, tag in wanted:
        if not consents(tag, name):
            yield f"  its owner consents with: {consent_command(arn, tag, name)}"


def _name(identifier: str, taken: set[str]) -> str:
    """Return a source name that resembles the identifier and is not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")[:40].strip("-")
    name, count = plain, 2
    while name in taken:
        name, count = f"{plain[:36].strip('-')}-{count}", count + 1
    return name


def _bundle(each: Discovered, name: str) -> str | None:
    """Return the word, or else where a person will have put the file; nothing where nothing is
    verified."""
    if not each.ssl_mode.verifies:
        return None
    return each.ca_bundle.value if each.ca_bundle else f"s3://fill-in/{name}-ca.pem"


def _source(each: Discovered, name: str) -> dict[str, Any]:
    """Return what a person starts from: the endpoint as it is, in the words of a source."""
    known: dict[str, Any] = {
        "name": name,
        "endpoint": each.identifier,
        "endpoint_type": each.endpoint_type,
        "engine": each.engine,
        "host": each.host or "fill-in.example.com",
        "port": each.port or Source.model_fields["port"].default,
        # Without one, that of the endpoint stays.
        "database": each.database if is_database(each.database or "") else None,
        "ssl_mode": each.ssl_mode.value,
        "credentials": each.secret_arn,
        "ca_bundle": _bundle(each, name),
        "replication_instances": sorted(each.connections),
    }
    return {key: value for key, value in known.items() if value not in (None, [])}
