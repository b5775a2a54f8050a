"""Which cause stands behind a failure, and what to do about it.

``explain`` reads any text: a DMS ``LastFailureMessage`` in all its wrappings, an error of libpq, of
PostgreSQL, of OpenSSL or Python, or the name of a cause. Its siblings read numbers and exceptions.
None of them raises, and none believes what it reads: whatever comes out is printable.

The status 1020912, ``SqlState: 08001`` and "Network error has occurred" say nothing: DMS writes
them around every failure, so they are not looked at. Where a text tells of several attempts (two
addresses, TLS and then plain text), the one that came furthest is believed.

The rows are in ``catalogue``, the words in ``symptoms``.
"""

import html
import re
import ssl
from collections import defaultdict

from certifier.diagnosis.catalogue import CATALOGUE, CHAPTERS, Row
from certifier.diagnosis.symptoms import ALERTS, SQLSTATES, SYMPTOMS, VERIFY_CODES, Symptom
from certifier.errors import CertifierError, Refused, Retryable
from certifier.models import Fact, Finding
from certifier.text import printable, redact_passwords
from certifier.vocabulary import Cause, Severity, Stage, Witness

__all__ = [
    "CATALOGUE",
    "CHAPTERS",
    "Diagnosis",
    "Row",
    "explain",
    "finding",
    "from_alert",
    "from_exception",
    "from_sqlstate",
    "from_verify_code",
    "printable",
    "redact_passwords",
]


_STAGES = tuple(Stage)


class Diagnosis(Fact):
    """What a failure was.

    Attributes:
        seen: a clause in our words, with the names in it that the text told.
        remedy: the catalogue's.
        stage: how far the connection had come; ``None`` when the text does not tell.
        raw: the text, printable, at most 1 KiB.
    """

    cause: Cause
    seen: str
    remedy: str
    stage: Stage | None = None
    raw: str = ""

    def at(self, place: Witness, severity: Severity | None = None) -> Finding:
        """Return the finding that says so."""
        return finding(
            self.cause,
            place=place,
            seen=self.seen,
            raw=self.raw or None,
            stage=self.stage,
            severity=severity,
        )


def explain(text: str) -> Diagnosis:
    """Return the cause behind a text; ``unknown``, with the text as what was seen, if it is new.

    Reads the first 8 KiB. Never raises. What looks like a password is not repeated.
    """
    text = redact_passwords(text)
    told = _flat(text)
    word = told.partition(":")[0].strip().lower()
    if word in _CAUSES:
        return _named(_CAUSES[word], told)
    masked, parts = _masked(told)
    best = _best(masked)
    if best is None or (not best[0].decisive and parts and best[0].stage is None):
        best = _best(told) or best
    if best is not None:
        symptom, match, begin = best
        return Diagnosis(
            cause=symptom.cause,
            seen=printable(_seen(symptom, match, parts, masked[:begin])),
            remedy=CATALOGUE[symptom.cause].remedy,
            stage=symptom.stage,
            raw=printable(text),
        )
    state = _sqlstate_in(told)
    if state in SQLSTATES:
        return from_sqlstate(state, text)
    return _unknown(text, told)


def from_sqlstate(state: str, message: str = "") -> Diagnosis:
    """Return the cause behind PostgreSQL's error fields: the message if it is known, else the code.

    Args:
        state: the five characters of field ``C``.
        message: field ``M``, in any language.
    """
    message = redact_passwords(message)
    read = _best(_masked(_flat(message))[0])
    if read is not None and read[0].cause is not Cause.UNKNOWN:
        return explain(message)
    if state not in SQLSTATES:
        return _unknown(message, _flat(message), Stage.STARTUP)
    cause, stage, seen = SQLSTATES[state]
    return Diagnosis(
        cause=cause,
        seen=f"{seen} (SQLSTATE {state})",
        remedy=CATALOGUE[cause].remedy,
        stage=stage,
        raw=printable(message),
    )


def from_verify_code(code: int, message: str = "") -> Diagnosis:
    """Return the cause behind an OpenSSL verification result (``X509_V_ERR_...``).

    A code that has no cause of its own is ``certificate_rejected``.
    """
    cause, seen = VERIFY_CODES.get(
        code, (Cause.CERTIFICATE_REJECTED, f"the certificate does not verify: {message or code}")
    )
    return Diagnosis(
        cause=cause,
        seen=printable(seen),
        remedy=CATALOGUE[cause].remedy,
        stage=Stage.TLS,
        raw=printable(message),
    )


def from_alert(number: int) -> Diagnosis:
    """Return the cause behind a fatal TLS alert that a client received."""
    cause, name = ALERTS.get(number, (Cause.TLS_ALERT, f"number {number}"))
    return Diagnosis(
        cause=cause,
        seen=f"the server ended the TLS handshake with the alert {name}",
        remedy=CATALOGUE[cause].remedy,
        stage=Stage.TLS,
    )


def from_exception(error: BaseException) -> Diagnosis:
    """Return the cause behind an exception: ours, a socket's, OpenSSL's, or any other by its text.

    The text of an exception that is none of these is not read, since it may hold a secret.
    """
    match error:
        case Refused():
            return _named(error.cause, error.cause.value)
        case Retryable():
            return _named(Cause.AWS_UNAVAILABLE, str(error))
        case CertifierError():
            return _named(Cause.UNEXPECTED, type(error).__name__)
        case ssl.SSLCertVerificationError(verify_code=int(code), verify_message=str(message)):
            return from_verify_code(code, message)
        case TimeoutError():
            return explain(str(error) if "timed out" in str(error) else "timeout expired")
        case ssl.SSLError() | OSError():
            return explain(str(error))
        case _:
            return _named(Cause.UNEXPECTED, type(error).__name__)


def finding(
    cause: Cause,
    *,
    place: Witness,
    seen: str,
    raw: str | None = None,
    stage: Stage | None = None,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding with the catalogue's remedy, and its severity unless one is given."""
    row = CATALOGUE[cause]
    return Finding(
        cause=cause,
        severity=severity or row.severity,
        seen=printable(seen),
        remedy=row.remedy,
        place=place,
        raw=None if raw is None else printable(raw),
        stage=stage,
    )


# ---- reading a text

_CAUSES = {cause.value: cause for cause in Cause}


_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'"})


# names that people gave: they mean nothing
_SERVERLESS = re.compile(r"for endpoint '[^']*'(?: and replication config '[^']*')?")


_ESCAPED_QUOTE = re.compile(r'(?<!\\)\\+"')


_ESCAPED_BLANK = re.compile(r"(?<!\\)\\+[nrt](?=[A-Z\\\s]|$|connection to|before or)")


_OPTIONAL = re.compile(r"\[([^\]]*)\]")


_FIELD = re.compile(r"\{(\w+)\}")


_BLANKS = re.compile(r"\s+")


_QUOTED = re.compile(r'"([^"]{0,512})"')


_PART = re.compile("\x01(\\d+)\x02")


_SERVER = re.compile(
    r'(?:connection to server at|server at) "(?P<host>[^"]*)"(?: \((?P<address>[^)]*)\))?,'
    r" port (?P<port>\S+?) failed"
)


_DIALLED = re.compile(r"dial tcp (?P<address>\S+?): ?")


_STATE = re.compile(
    r"(?:NativeErrorCode|SQLSTATE|SqlState|'C')['\"]?\s*[:= ]\s*[\[(]?'?([0-9A-Z]{5})\b"
    r"|(?:FATAL|ERROR): ([0-9][0-9A-Z]{4}): ",
    re.IGNORECASE,
)


_GENERIC = re.compile(r"^(?:08|00|HY|IM|01)")


_UNKNOWN_STAGES = (
    (re.compile(r"\bFATAL\b|\bERROR\b: "), Stage.STARTUP),
    (re.compile(r"\b(?:SSL|TLS|certificate)\b", re.IGNORECASE), Stage.TLS),
    (re.compile(r"connection to server .{1,600} failed|dial tcp|\bsocket\b"), Stage.TCP),
)


_WRAPPERS = (
    re.compile(r"^.*Application-Detailed-Message: ?", re.DOTALL),
    re.compile(r"^RetCode: \S+ SqlState: \S+ NativeError: \S+ Message: ?"),
    re.compile(r"^\[unixODBC\] ?"),
)


def _flat(text: str) -> str:
    """The text in one line: blanks collapsed, quotes straight, what JSON or HTML escaped undone."""
    head = _SERVERLESS.sub("", html.unescape(text)).translate(_QUOTES)
    head = head.replace("\x01", " ").replace("\x02", " ")
    if _ESCAPED_QUOTE.search(head):  # a piece of JSON: its own quotes are not the message's
        head = _ESCAPED_QUOTE.sub("\x01", head).replace('"', " ").replace("\x01", '"')
    return _BLANKS.sub(" ", _ESCAPED_BLANK.sub(" ", head)).strip()


def _masked(told: str) -> tuple[str, list[str]]:
    """The text with each quoted part replaced by a number, and those parts."""
    parts: list[str] = []

    def hide(match: re.Match[str]) -> str:
        parts.append(match[1])
        return f'"\x01{len(parts) - 1}\x02"'

    return _QUOTED.sub(hide, told), parts


def _best(told: str) -> tuple[Symptom, re.Match[str], int] | None:
    """The symptom that came furthest; of several, the first in the table."""
    found: tuple[Symptom, re.Match[str], int] | None = None
    for symptom in SYMPTOMS:
        match = symptom.pattern.search(told)
        if match is None:
            continue
        if symptom.decisive:
            return symptom, match, match.start()
        if found is None or _depth(symptom.stage) > _depth(found[0].stage):
            found = symptom, match, match.start()
    return found


def _depth(stage: Stage | None) -> int:
    return -1 if stage is None else _STAGES.index(stage)


def _seen(symptom: Symptom, match: re.Match[str], parts: list[str], before: str) -> str:
    """The symptom's sentence, filled with what the text told; what it did not tell is left out."""
    told: defaultdict[str, str] = defaultdict(str)
    for name, value in match.groupdict().items():
        told[name] = _restored(value or "", parts).strip()
    told["where"] = _where(before, parts)
    sentence = _OPTIONAL.sub(
        lambda clause: clause[1] if all(told[name] for name in _FIELD.findall(clause[1])) else "",
        symptom.seen,
    )
    return _FIELD.sub(lambda field: told[field[1]], sentence)


def _restored(value: str, parts: list[str]) -> str:
    return _PART.sub(lambda m: parts[int(m[1])] if int(m[1]) < len(parts) else "", value)


def _where(before: str, parts: list[str]) -> str:
    """Host and port of the attempt that the text was telling of."""
    attempts = list(_SERVER.finditer(before))
    if attempts:
        last = attempts[-1]
        host = _restored(last["host"], parts)
        address = f" ({last['address']})" if last["address"] else ""
        return f"{host}{address} port {last['port']}"
    dialled = _DIALLED.search(before)
    return dialled["address"] if dialled else "the server"


def _sqlstate_in(told: str) -> str:
    for match in _STATE.finditer(told):
        state = (match[1] or match[2]).upper()
        if not _GENERIC.match(state):
            return state
    return ""


def _named(cause: Cause, text: str) -> Diagnosis:
    row = CATALOGUE[cause]
    return Diagnosis(cause=cause, seen=row.why, remedy=row.remedy, raw=printable(text))


def _unknown(text: str, told: str, stage: Stage | None = None) -> Diagnosis:
    """The text as it came, without the wrapping that says nothing, and the stage that it shows."""
    core = told
    for wrapper in _WRAPPERS:
        core = wrapper.sub("", core, count=1)
    shown = next((found for sign, found in _UNKNOWN_STAGES if sign.search(told)), stage)
    return Diagnosis(
        cause=Cause.UNKNOWN,
        seen=printable(core) or "no text at all",
        remedy=CATALOGUE[Cause.UNKNOWN].remedy,
        stage=shown,
        raw=printable(text),
    )
