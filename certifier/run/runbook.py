"""Which section of docs/operate/runbook.md says what to do about an outcome and its cause.

The runbook is written by symptom, so many causes share a section. A test holds that every cause,
outcome, alarm and notice has one.
"""

from collections.abc import Mapping
from types import MappingProxyType

from certifier.diagnosis.catalogue import CHAPTERS
from certifier.vocabulary import Cause, Outcome

TASK_STOPPED = "a-task-is-stopped"
DOES_NOT_CONNECT = "dms-does-not-connect"
NOT_REACHED = "the-host-is-not-reached"
TLS_FAILS = "tls-is-not-set-up"
NOT_VERIFIED = "the-certificate-does-not-verify"
LOGIN_FAILS = "the-login-fails"
WAL_GROWS = "wal-grows"
EXPIRES = "a-certificate-expires"
SERVES_ANOTHER = "the-server-serves-another-certificate"
COULD_BE_SAFER = "the-server-could-be-safer"
CONSENT = "an-owner-has-not-consented"
MATERIAL = "the-material-cannot-be-used"
ACM = "acm-is-behind"
REFUSED = "a-change-is-refused"
WAITS = "a-change-waits"
REVERTED = "reverted_by_others"
MOVED = "something-was-moved-or-weakened"
CUT_OFF = "a-run-was-cut-off"
BREAKER = "changes-are-stopped"
AWS = "aws-did-not-answer"
ROLLED_BACK = "a-change-was-rolled-back"
NOT_ROLLED_BACK = "a-change-is-not-rolled-back"
FINE = "it-is-certified-again"
NOT_RUN = "a-source-cannot-be-run"
NOT_DELETED = "a-dms-certificate-cannot-be-deleted"

_OF_CHAPTER = {
    "Reaching the host": NOT_REACHED,
    "Speaking PostgreSQL and TLS": TLS_FAILS,
    "Verifying the certificate": NOT_VERIFIED,
    "Logging in": LOGIN_FAILS,
    "Reading changes": WAL_GROWS,
    "What server and certificate are like": COULD_BE_SAFER,
    "Consent": CONSENT,
    "The material": MATERIAL,
    "Planning the change": REFUSED,
    "Changing and proving": DOES_NOT_CONNECT,
}
_OF_CAUSE = {
    Cause.CERTIFICATE_EXPIRED: EXPIRES,
    Cause.CERTIFICATE_EXPIRES_SOON: EXPIRES,
    Cause.CA_EXPIRED_DROPPED: EXPIRES,
    **dict.fromkeys(
        (
            Cause.SERVED_CERTIFICATE_DIFFERS,
            Cause.ENDPOINT_CA_DIFFERS,
            Cause.DIFFERENT_NODE_ANSWERS,
            Cause.OVERLAP_PENDING,
            Cause.SHRINK_WAITS,
            Cause.OLD_ANCHORS_DROPPED,
            Cause.MANY_OLD_ANCHORS,
        ),
        SERVES_ANOTHER,
    ),
    **dict.fromkeys((each for each in Cause if each.value.startswith("acm_")), ACM),
    **dict.fromkeys(
        (
            Cause.WINDOW_CLOSED,
            Cause.WINDOW_MISSED,
            Cause.CHANGE_BACKS_OFF,
            Cause.TASKS_RUNNING,
            Cause.GROWTH_WAITS,
        ),
        WAITS,
    ),
    **dict.fromkeys(
        (
            Cause.NEW_TRUST_ANCHOR,
            Cause.ANCHOR_NOT_APPROVED,
            Cause.ANCHOR_NOT_NAMED,
            Cause.ENDPOINT_WEAKENED,
            Cause.ENDPOINT_MOVED,
            Cause.CREDENTIALS_CHANGED,
            Cause.PERMISSION_USED,
            Cause.WOULD_WEAKEN,
        ),
        MOVED,
    ),
    **dict.fromkeys((Cause.REVERTED_BY_OTHERS, Cause.CHANGED_MEANWHILE), REVERTED),
    **dict.fromkeys(
        (
            Cause.TASK_NOT_RESTARTED,
            Cause.TASK_FAILED,
            Cause.TASK_LEFT_ALONE,
            Cause.TASK_DID_NOT_STOP,
        ),
        TASK_STOPPED,
    ),
    **dict.fromkeys(
        (
            Cause.INTERRUPTED_RUN_FINISHED,
            Cause.UNDO_LOG_UNTRUSTED,
            Cause.CANARY_LEFT,
            Cause.FUNCTION_CUT_OFF,
            Cause.UNEXPECTED,
            Cause.TEST_NEVER_ENDED,
            Cause.CONNECTION_DELETED,
            Cause.NOT_APPLIED,
        ),
        CUT_OFF,
    ),
    Cause.BREAKER_OPEN: BREAKER,
    Cause.NOT_ROLLED_BACK: NOT_ROLLED_BACK,
    **dict.fromkeys((Cause.AWS_DENIED, Cause.AWS_UNAVAILABLE), AWS),
}
SECTIONS: Mapping[Cause, str] = MappingProxyType(
    {
        row.cause: _OF_CAUSE.get(row.cause, _OF_CHAPTER[title])
        for title, rows in CHAPTERS.items()
        for row in rows
    }
)
"""The anchor of each cause."""


def section(outcome: Outcome, cause: Cause | None) -> str:
    """Return the anchor of the section for a run that ended so."""
    if outcome is Outcome.TASK_STOPPED:
        return TASK_STOPPED
    if outcome is Outcome.ROLLED_BACK:
        return ROLLED_BACK
    return FINE if cause is None else SECTIONS[cause]
