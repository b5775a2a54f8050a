"""Source files to start from, one for each endpoint that no source keeps yet."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from certifier.cli.discovered import Discovered
from certifier.cli.new_files import write_new
from certifier.run.consent import consent_command, consents
from certifier.source import Source
from certifier.source_values import is_database


def write_source_files(
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
