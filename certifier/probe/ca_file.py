"""What a CA file is that libpq's OpenSSL cannot load, and the step that makes it one.

OpenSSL says "no certificate or crl found" of a Java key store, of DER and of text in UTF-16 alike.
"""

from collections.abc import Sequence
from datetime import datetime

from certifier.certificate import trust_bundle
from certifier.models import Finding, errors_in
from certifier.vocabulary import Cause

_PREFIXES = ("the CA bundle: ", "the CA bundle ", "")
_NOTHING_WRONG = (
    "PEM whose lines OpenSSL does not read",
    "Write each BEGIN and END line, and the base64 between them, on lines of their own without "
    "blanks before them.",
)
_REPAIRABLE = "Write the certificates in it anew as PEM: ASCII, with real line ends."


def what_it_is(data: bytes, now: datetime) -> tuple[str, str | None]:
    """Return what the file is, in words that follow a colon, and what to do about it.

    ``None``: the remedy of ``ca_bundle_invalid``. Never raises.
    """
    findings = trust_bundle(data, now).findings
    if not (errors := errors_in(findings)):
        repaired = _first(findings, Cause.CHAIN_REPAIRED)
        return (_words(repaired), _REPAIRABLE) if repaired else _NOTHING_WRONG
    return _words(errors[0]), errors[0].remedy


def _first(findings: Sequence[Finding], cause: Cause) -> Finding | None:
    return next((found for found in findings if found.cause is cause), None)


def _words(found: Finding) -> str:
    """Return what was seen without "the CA bundle", which is what the sentence is about."""
    prefix = next(each for each in _PREFIXES if found.seen.startswith(each))
    return found.seen.removeprefix(prefix)
