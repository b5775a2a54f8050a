"""What a run carries over to the next ones: the fields of STATE that Record changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from certifier.models import Finding
from certifier.run.anchors import unapproved
from certifier.run.documents import (
    Answering,
)
from certifier.run.dossier import Dossier, facts_in, trusted_facts
from certifier.run.due import Due
from certifier.run.ending import Ending
from certifier.run.old_anchors import left_since
from certifier.run.public_trust import settled
from certifier.run.record import Certification, trusted_pem
from certifier.run.shrink import dropped, new_chain
from certifier.run.state import SourceState
from certifier.run.undo import new_are_sent
from certifier.run.weakening import REMEMBERED_EVENTS, event_key
from certifier.source import Source
from certifier.vocabulary import Cause

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
    elif end.outcome.is_proven:
        kept |= dict.fromkeys(("bad_change", "bad_changes", "change_after"))
    if dossier.material is not None and dossier.material.endpoint is not None:
        kept["group"] = dossier.material.group
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
        if dossier.undo is not None and version == dossier.undo.old_password_version:
            kept["reapplied_version"] = version  # once is enough
    if end.outcome.is_proven and endpoint is not None and not dossier.finishes_another:
        arn = endpoint.fields.certificate_arn
        kept |= {
            "certified_at": record.recorded_at,
            "credentials": record.spec.get("credentials"),
            "settings_digest": endpoint.settings_digest,
            "applied": endpoint.fields,
            "certificate_arn": arn,
            "certificate_digest": trusted_pem(arn, dossier)[0] if arn else None,
            "reverts": dossier.plan.reverted if dossier.plan else 0,
        }
    return kept


def anchors(dossier: Dossier, state: SourceState, now: datetime) -> dict[str, Any]:
    """Return the CAs that are known from now on, those of this run last.

    Not for a run of whose new ones nobody could be notified.
    """
    trusted = dict.fromkeys(facts.sha256 for facts in trusted_facts(dossier.material))
    kept: dict[str, Any] = {}
    known = _without_withdrawn(dossier, state)
    if not trusted.keys() <= set(known):
        older = [sha256 for sha256 in known if sha256 not in trusted]
        kept["anchors"] = (*older, *trusted)[-ANCHORS:]
    if dossier.material is not None and dossier.material.trusted is not None:
        kept["anchors_left"] = left_since(dossier.material, state.anchors_left, now) or None
    return kept


def nodes(
    source: Source, dossier: Dossier, end: Ending, state: SourceState, now: datetime
) -> dict[str, Any]:
    """Return since when no node needs an old CA, and which ones were dropped for that."""
    if dossier.probed is None:
        return {}
    material = settled(dossier.material, dossier.probed)
    since = new_chain(source, material, dossier.probed, state.new_chain, now)
    kept: dict[str, Any] = {} if since == state.new_chain else {"new_chain": since}
    endpoint = dossier.final_endpoint
    if end.outcome.is_proven and endpoint is not None and not dossier.finishes_another:
        trusts = trusted_pem(endpoint.fields.certificate_arn, dossier)[1]
        gone = dropped(
            source, material, dossier.probed, trusts=trusts, before=state.dropped, now=now
        )
        kept |= {} if gone == state.dropped else {"dropped": gone or None}
    return kept


def pending_anchors(
    source: Source, dossier: Dossier, end: Ending, state: SourceState
) -> dict[str, Any]:
    """Return which CAs wait for approval from now on: none that a certified run has used.

    One that leaves the bundle while it waits is not known any more: nobody has approved it, and if
    it comes again it waits again.
    """
    if dossier.material is None or dossier.material.bundle_pem is None:
        return {}
    known = _without_withdrawn(dossier, state)
    kept: dict[str, Any] = {} if known == state.anchors else {"anchors": known}
    waiting: tuple[str, ...] = ()
    if not end.outcome.is_proven:
        bundle = facts_in(dossier.material.bundle_pem)
        waiting = tuple(facts.sha256 for facts in unapproved(source, bundle, state))
    return kept if waiting == state.pending_anchors else {**kept, "pending_anchors": waiting}


def _without_withdrawn(dossier: Dossier, state: SourceState) -> tuple[str, ...]:
    """Return the CAs that are known, without those that waited and are not in the bundle now.

    Never none, where one was known: a source without known CAs trusts its first bundle.
    """
    if dossier.material is None or dossier.material.bundle_pem is None:
        return state.anchors
    bundle = {facts.sha256 for facts in facts_in(dossier.material.bundle_pem)}
    known = tuple(
        sha256
        for sha256 in state.anchors
        if sha256 in bundle or sha256 not in state.pending_anchors
    )
    return known or state.anchors


def events(state: SourceState, sent: Iterable[Finding], version: int) -> dict[str, Any]:
    """Return which events people have been notified of from now on."""
    keys = [event_key(each, version) for each in sent]
    new = [key for key in dict.fromkeys(keys) if key not in state.events]
    kept: dict[str, Any] = {"unsent": None} if state.unsent else {}
    return kept | ({"events": (*state.events, *new)[-REMEMBERED_EVENTS:]} if new else {})


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
    # What may not have arrived is set again by the next run.
    return log.new_password_version if log.created or new_are_sent(log) else None
