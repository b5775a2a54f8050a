"""What a person does by hand where a change could not be rolled back: the values of before.

The values are those that the run before the change has read of the endpoint, not those in the log:
that lies in the table, which more people may write. A password is named by its version alone, and
the command takes it out of the secret by a pipe: neither a history nor a list of processes holds
it. Pure.
"""

import json
import re
import shlex
from collections.abc import Collection

from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import LOGIN, complete_modify
from certifier.models import Finding
from certifier.run.documents import Material, UndoLog
from certifier.run.undo import may_hold_new, why_not_covered
from certifier.source import Source
from certifier.text import is_plain
from certifier.vocabulary import Cause, Witness

_OPTIONS = {
    "ssl_mode": "--ssl-mode",
    "certificate_arn": "--certificate-arn",
    "server_name": "--server-name",
    "port": "--port",
    "username": "--username",
    "database_name": "--database-name",
}
"""Options of ``aws dms modify-endpoint``."""
_SETTINGS = {
    "database_name": "DatabaseName",
    "secret_id": "SecretsManagerSecretId",
    "secret_role_arn": "SecretsManagerAccessRoleArn",
}
"""What an endpoint with a secret has in its settings (botocore: dms#PostgreSQLSettings)."""
_ODD = re.compile(r"^-|://|`")
"""What the AWS CLI takes for an option, or for a file or page whose content it sends in place of
the value (AWS CLI User Guide, "Loading a parameter from a file"); and what ends the command."""
_ROOM = 960
"""Characters of a remedy with a command: a finding holds 1,024, a mail shows 1,000, and a name in
the place of NAME has 40."""


def as_it_was(
    log: UndoLog,
    *,
    source: Source,
    owned: Collection[str],
    material: Material | None,
    first: Material | None = None,
) -> Endpoint | None:
    """Return the endpoint as it was read before a change; ``None``: that is gone.

    ``None`` also for a log that a rollback would not follow: a forged one must not have a person
    do what no step does, such as to use the password of another team's secret.

    Args:
        owned, material, first: as for ``why_not_covered``.
    """
    if why_not_covered(log, source=source, owned=owned, material=material, first=first):
        return None
    read = material if log.replaces is None else first
    before = read.endpoint if read else None
    return before if before is not None and before.arn == log.endpoint_arn else None


def not_rolled_back(log: UndoLog, before: Endpoint | None) -> Finding | None:
    """Return that an endpoint may still have what an unproven change wrote, and how it was before.

    ``None`` when nothing is left to roll back: nothing was sent, or DMS has taken the old settings,
    or there are none, because the change made the endpoint.

    Args:
        log: of a change that is neither proven nor rolled back.
        before: the endpoint as the run that wrote the log has read it; ``None``: that is gone.
    """
    if log.created or not may_hold_new(log):
        return None
    was = before.fields if before is not None else log.old
    changed = [
        f"{name} {getattr(log.new, name)} (before: {getattr(was, name)})" for name in log.reversible
    ]
    if log.new_password_version is not None:
        changed.append("its password")
    seen = (
        f"{log.endpoint_identifier} may still have what a change wrote to it that is not proven: "
        f"{', '.join(changed) or 'nothing that can be rolled back'}"
    )
    remedy = None
    if before is not None and (log.reversible or log.old_password_version is not None):
        remedy = _remedy(log, before)
    return finding(Cause.NOT_ROLLED_BACK, place=Witness.WORKFLOW, seen=seen, remedy=remedy)


def _remedy(log: UndoLog, before: Endpoint) -> str | None:
    """Return what to do, with the command.

    ``None`` when that would be shown cut short, or when a value in it might be read as another.
    """
    values = [*before.fields.given().values(), *(_old_password(log) or ())]
    if any(_ODD.search(str(value)) or not is_plain(str(value)) for value in values):
        return None
    unknown = log.new_password_version is not None and _old_password(log) is None
    remedy = (
        "Act now: remove what the other findings name and run `certifier certify NAME`, which "
        f"rolls back. Or by hand: `{command(log, before)}`. "
        f"{'Its password of before is not known. ' if unknown else ''}The next run tests "
        "that, and starts the tasks once DMS connects."
    )
    return remedy if len(remedy) <= _ROOM else None


def _old_password(log: UndoLog) -> tuple[str, str] | None:
    """Return secret and version of the password of before; ``None``: it stays, or is not known."""
    if None in (log.new_password_version, log.old_password_version, log.credentials):
        return None
    return str(log.credentials), str(log.old_password_version)


def command(log: UndoLog, before: Endpoint) -> str:
    """Return the command that sets what the change wrote to its values of before.

    For bash, zsh and every other shell of POSIX. The AWS CLI reads the file that a value names
    once, as it is, so a password comes by standard input; without one, DMS is not called.

    Args:
        before: the endpoint as it was read before the change.
    """
    sent = complete_modify(
        before,
        log.reversible,
        before.fields,
        password=log.new_password_version is not None and before.fields.server_name is not None,
    )
    words = ["aws", "dms", "modify-endpoint", "--endpoint-arn", before.arn]
    words += ["--engine-name", before.engine, *_options(sent, before.fields)]
    region = ["--region", before.arn.split(":")[3]]
    if (password := _old_password(log)) is None:
        return shlex.join([*words, *region])
    secret, version = password
    get = ["aws", "secretsmanager", "get-secret-value", "--secret-id", secret]
    get += ["--version-id", version, "--query", "SecretString", "--output", "text", *region]
    take = f"P=$({shlex.join(get)} | jq -r '.password // empty')"
    give = shlex.join([*words, "--password", "file:///dev/stdin", *region])
    return f"""({take}; [ -n "$P" ] && printf %s "$P" | {give})"""


def _options(sent: EndpointFields, had: EndpointFields) -> list[str]:
    """Return the options for fields; with a secret, its settings hold the rest of the login."""
    given = {name: str(value) for name, value in sent.given().items()}
    settings = {theirs: given[ours] for ours, theirs in _SETTINGS.items() if ours in given}
    by_secret = had.secret_id is not None and sent.server_name is None
    words = []
    for name, option in _OPTIONS.items():
        if name in given and not (by_secret and name in (*LOGIN, "database_name")):
            words += [option, given[name]]
    if by_secret and settings:
        words += ["--postgre-sql-settings", json.dumps(settings, separators=(",", ":"))]
    return words
