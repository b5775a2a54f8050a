"""What a run carries over to the next ones: the fields of STATE that Record changes."""

from datetime import datetime
from typing import Any

from certifier.run.anchors import left_since
from certifier.run.documents import (
    Answering,
)
from certifier.run.dossier import Dossier, trusted_facts
from certifier.run.due import Due
from certifier.run.ending import Ending
from certifier.run.record import Certification, trusted_pem
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome

ANCHORS = 1000
"""How many CA fingerprints are remembered of a source; the largest public bundle has 150."""


def remembered(dossier: Dossier, end: Ending, due: Due, record: Certification) -> dict[str, Any]:
    """Return the fields of STATE that this run changes; ``None`` removes one."""
    kept: dict[str, Any] = {
        "reason": due.reason,
        "backoff": due.backoff,
        "waiting_since": due.waiting_since,
        "pending_restarts": dossier.pending_restarts,
        "restart_tries": due.restart_tries or None,
    }
    if end.ended_badly:
        kept |= {
            "bad_change": dossier.change,
            "bad_changes": due.bad_changes,
            "change_after": due.change_after,
        }
    elif end.outcome is Outcome.CERTIFIED:
        kept |= dict.fromkeys(("bad_change", "bad_changes", "change_after"))
    if record.expires_at is not None:
        kept |= {"expires_at": record.expires_at, "expires": record.expires}
    endpoint = dossier.final_endpoint
    taken = any(each.cause is Cause.ENDPOINT_TAKEN for each in end.findings)
    if endpoint is not None and not taken:
        kept |= {
            "endpoint_arn": endpoint.arn,
            "creating": None,
            "ssl_mode": endpoint.fields.ssl_mode,
        }
    if (version := _password_version(dossier, end)) is not None:
        kept["applied_version"] = version
    if end.outcome is Outcome.CERTIFIED and endpoint is not None and not dossier.finishes_another:
        arn = endpoint.fields.certificate_arn
        kept |= {
            "certified_at": record.recorded_at,
            "settings_digest": endpoint.settings_digest,
            "applied": endpoint.fields,
            "certificate_arn": arn,
            "certificate_digest": trusted_pem(arn, dossier)[0] if arn else None,
            "reverts": dossier.plan.reverted if dossier.plan else 0,
        }
    return kept


def anchors(dossier: Dossier, state: SourceState, now: datetime) -> dict[str, Any]:
    """Return the CAs that are known from now on; people have been told of the new ones."""
    trusted = dict.fromkeys(facts.sha256 for facts in trusted_facts(dossier.material))
    new = [sha256 for sha256 in trusted if sha256 not in state.anchors]
    kept: dict[str, Any] = {"anchors": (*state.anchors, *new)[-ANCHORS:]} if new else {}
    if dossier.material is not None and dossier.material.trusted is not None:
        kept["anchors_left"] = left_since(dossier.material, state.anchors_left, now) or None
    return kept


def answered(dossier: Dossier) -> dict[str, Any]:
    """Return who answered, for later runs to compare with."""
    who = dossier.probed.answering if dossier.probed else Answering()
    kept = {"served_leaf": who.leaf, "in_recovery": who.in_recovery}
    return {name: value for name, value in kept.items() if value is not None}


def _password_version(dossier: Dossier, end: Ending) -> str | None:
    """Return the VersionId of the password that this run left on the endpoint, if it set one."""
    log = dossier.undo
    if log is None or not end.erase_undo:
        return None
    if dossier.rolled_back is not None and dossier.rolled_back.rolled_back:
        return log.old_password_version
    if dossier.rolled_back is not None:
        return None
    return log.new_password_version
