"""Which cause stands behind a failure, and what to do about it.

``explain`` reads any text: a DMS ``LastFailureMessage`` in all its wrappings, an error of libpq, of
PostgreSQL, of OpenSSL or Python, or the name of a cause. Its siblings read numbers and exceptions.
None of them raises, and none believes what it reads: whatever comes out is printable.

The status 1020912, ``SqlState: 08001`` and "Network error has occurred" say nothing: DMS writes
them around every failure, so they are not looked at. Where a text tells of several attempts (two
addresses, TLS and then plain text), the one that came furthest is believed; but a refusal of plain
text explains nothing once another attempt has come as far as TLS. A translated message is read by
its SQLSTATE, by what is never translated, and by the words of ``languages``.

The rows are in ``catalogue``, the words in ``symptoms``.
"""

import html
import re
import ssl
from bisect import bisect
from collections import defaultdict
from collections.abc import Sequence

from certifier.diagnosis.catalogue import CATALOGUE, CHAPTERS, Row
from certifier.diagnosis.languages import FOREIGN
from certifier.diagnosis.symptoms import ALERTS, SQLSTATES, SYMPTOMS, VERIFY_CODES, Symptom
from certifier.errors import CertifierError, Refused, Retryable
from certifier.models import Fact, Finding
from certifier.text import LONGEST, printable, redact_passwords
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
]

_STAGES = tuple(Stage)


class Diagnosis(Fact):
    """What a failure was.

    Attributes:
        seen: a clause in our words, with the names in it that the text gives.
        remedy: the catalogue's; those of several causes when the text leaves open which it is.
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
            remedy=self.remedy,
        )


def explain(text: str) -> Diagnosis:
    """Return the cause behind a text; ``unknown``, with the text as what was seen, if it is new.

    Reads the first 8 KiB. Never raises. What looks like a password is not repeated.
    """
    text = redact_passwords(text)
    message = _flat(text)
    word = message.partition(":")[0].strip().lower()
    if word in _CAUSES:
        return _named(_CAUSES[word], message)
    masked, parts = _masked(message)
    best = _best(masked)
    if best is None or (not best[0].decisive and parts and best[0].stage is None):
        best = _best(message) or best
    if best is not None:
        symptom, match, begin = best
        return Diagnosis(
            cause=symptom.cause,
            seen=printable(_seen(symptom, match, parts, masked[:begin])),
            remedy=_remedy(symptom),
            stage=symptom.stage,
            raw=printable(text),
        )
    state = _sqlstate_in(message)
    if state is not None:
        return from_sqlstate(state, text)
    return _unknown(text, message)


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
    symptom = SQLSTATES[state]
    return Diagnosis(
        cause=symptom.cause,
        seen=f"{symptom.seen} (SQLSTATE {state})",
        remedy=_remedy(symptom),
        stage=symptom.stage,
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
    remedy: str | None = None,
) -> Finding:
    """Return a finding, with the catalogue's severity and remedy unless the finder knows better."""
    row = CATALOGUE[cause]
    return Finding(
        cause=cause,
        severity=severity or row.severity,
        seen=printable(seen),
        remedy=row.remedy_at(stage) if remedy is None else printable(remedy),
        place=place,
        raw=None if raw is None else printable(raw),
        stage=stage,
    )


# ---- reading a text

_CAUSES = {cause.value: cause for cause in Cause}
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'"})
# names that people gave: they mean nothing
_NAME = r"""(?:'[^']*'|"[^"]*"|`[^`]*`|arn:\S+)"""
_SERVERLESS = re.compile(rf"for endpoint {_NAME}(?: and replication config(?:uration)? {_NAME})?")
_ANGLED = re.compile(
    r"»([^«»]{0,512})«|«\s?([^«»]{0,512}?)\s?»|「([^「」]{0,512})」"
    r"|(?<!\S)\ufffd\s?([\w.-]{1,64})\s?\ufffd(?!\w)"  # quotes that a wrong encoding has spoiled
)
_UNICODE = re.compile(r"\\+u([0-9a-fA-F]{4})")
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
    r"(?i:NativeErrorCode|SQL[ _]?STATE|pgcode|'C'|\bcode)(?:['\"]|\\\\)*"
    r"\s{0,4}[:=\[( ]\s{0,4}[\[(]?"
    r"(?:['\"]|\\\\)*(?:SqlState\()?E?([0-9][0-9A-Za-z]{4})\b"
    r"|\w+: ([0-9][0-9A-Z]{4}): "
    r"|(?<![\w-])([0-9](?=\d*[A-Z])[0-9A-Z]{4})(?![\w-])"  # no number, so nothing else
)
_UNKNOWN_STAGES = (
    (re.compile(r"\bFATALE?\b|\bERROR\b: |ВАЖНО:|致命错误|치명적오류"), Stage.STARTUP),
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
    head = _SERVERLESS.sub("", html.unescape(_UNICODE.sub(_letter, text))).translate(_QUOTES)
    head = _ANGLED.sub(lambda match: f'"{"".join(one or "" for one in match.groups())}"', head)
    head = head.replace("\x01", " ").replace("\x02", " ")
    if _ESCAPED_QUOTE.search(head):  # a piece of JSON: its own quotes are not the message's
        head = _ESCAPED_QUOTE.sub("\x01", head).replace('"', " ").replace("\x01", '"')
    return _BLANKS.sub(" ", _ESCAPED_BLANK.sub(" ", head)).strip()


def _masked(message: str) -> tuple[str, list[str]]:
    """The text with each quoted part replaced by a number, and those parts."""
    parts: list[str] = []

    def hide(match: re.Match[str]) -> str:
        parts.append(match[1])
        return f'"\x01{len(parts) - 1}\x02"'

    return _QUOTED.sub(hide, message)[: 2 * LONGEST], parts


_Read = tuple[Symptom, re.Match[str], int]


def _best(message: str) -> _Read | None:
    """The symptom that came furthest; of several, that of the first attempt, then of the table."""
    found = _furthest(message, SYMPTOMS)
    if found is None or not (found[0].decisive or message.isascii()):
        found = _further(found, _furthest(message, FOREIGN))
    if found is None or found[0].cause not in _LETS_NOBODY_IN:
        return found
    # without plain text: what is left is the reason, if it came as far as TLS
    rest = message
    for symptom in (*SYMPTOMS, *FOREIGN):
        if symptom.cause is Cause.HBA_REJECTED_PLAINTEXT or symptom is found[0]:
            rest = symptom.pattern.sub(lambda match: " " * len(match[0]), rest)
    other = _furthest(rest, SYMPTOMS)
    return other if other is not None and _depth(other[0].stage) >= _AS_FAR_AS_TLS else found


def _furthest(message: str, table: Sequence[Symptom]) -> _Read | None:
    attempts = [attempt.start() for attempt in _SERVER.finditer(message)]
    best: tuple[int, int] = (-2, 0)
    found: _Read | None = None
    for symptom in table:
        match = symptom.pattern.search(message)
        if match is None:
            continue
        read = symptom, match, match.start()
        if symptom.decisive:
            return read
        rank = _depth(symptom.stage), -bisect(attempts, match.start())
        if rank > best:
            best, found = rank, read
    return found


def _further(one: _Read | None, other: _Read | None) -> _Read | None:
    if one is None or other is None:
        return one or other
    return other if _depth(other[0].stage) > _depth(one[0].stage) else one


def _depth(stage: Stage | None) -> int:
    return -1 if stage is None else _STAGES.index(stage)


_AS_FAR_AS_TLS = _depth(Stage.TLS)
_LETS_NOBODY_IN = frozenset({Cause.HBA_REJECTED, Cause.HBA_REJECTED_PLAINTEXT})


def _remedy(symptom: Symptom) -> str:
    """Its own or the catalogue's; where several causes are possible, each with its condition."""
    if not symptom.either:
        return symptom.remedy or CATALOGUE[symptom.cause].remedy_at(symptom.stage)
    return " ".join(f"{when}: {CATALOGUE[cause].remedy}" for when, cause in symptom.either)


def _seen(symptom: Symptom, match: re.Match[str], parts: list[str], before: str) -> str:
    """The symptom's sentence, filled with what the text names; the rest is left out."""
    named: defaultdict[str, str] = defaultdict(str)
    for name, value in match.groupdict().items():
        named[name] = _restored(value or "", parts).strip()
    named["where"] = _where(before, parts)
    unnamed = symptom.pattern.groups > len(symptom.pattern.groupindex)
    if unnamed and "name" not in named:
        named["name"] = _restored(next((one for one in match.groups() if one), ""), parts).strip()
    sentence = _OPTIONAL.sub(
        lambda clause: clause[1] if all(named[name] for name in _FIELD.findall(clause[1])) else "",
        symptom.seen,
    )
    return _FIELD.sub(lambda field: named[field[1]], sentence)


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


def _sqlstate_in(message: str) -> str | None:
    """The first SQLSTATE that says something; those of ODBC say that something went wrong."""
    states = ((match[1] or match[2] or match[3]).upper() for match in _STATE.finditer(message))
    return next((state for state in states if state in SQLSTATES), None)


def _letter(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if letter.isprintable() else match[0]


def _named(cause: Cause, text: str) -> Diagnosis:
    row = CATALOGUE[cause]
    return Diagnosis(cause=cause, seen=row.why, remedy=row.remedy, raw=printable(text))


def _unknown(text: str, message: str, stage: Stage | None = None) -> Diagnosis:
    """The text as it came, without the wrapping that says nothing, and the stage that it shows."""
    core = message
    for wrapper in _WRAPPERS:
        core = wrapper.sub("", core, count=1)
    shown = next((found for sign, found in _UNKNOWN_STAGES if sign.search(message)), stage)
    return Diagnosis(
        cause=Cause.UNKNOWN,
        seen=printable(core) or "no text at all",
        remedy=CATALOGUE[Cause.UNKNOWN].remedy,
        stage=shown,
        raw=printable(text),
    )
