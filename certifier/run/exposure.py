"""What a mode that does not verify leaves open: said with every run, and refused where it leaks.

Pure decisions over values.
"""

from collections.abc import Iterable, Iterator

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Change
from certifier.source import Source
from certifier.vocabulary import Cause, Severity, SslMode, Witness

_LEFT_OPEN = {
    SslMode.NONE: "ssl_mode none: DMS connects in plain text, and verifies nothing: whoever is in "
    "between reads everything, and can answer in the server's place",
    SslMode.REQUIRE: "ssl_mode require: DMS encrypts, and verifies neither chain nor host name: "
    "whoever is in between can answer in the server's place, and read everything",
}


def exposure(
    source: Source, probed: Iterable[Finding], changes: Iterable[Change]
) -> Iterator[Finding]:
    """Yield what the source's mode leaves open, and that DMS would be made to send a password.

    Args:
        probed: the findings of the probe.
        changes: what the endpoint needs; with any, DMS logs in with what it gets.
    """
    if (said := _LEFT_OPEN.get(source.ssl_mode)) is not None:
        yield finding(Cause.NOTHING_VERIFIED, place=Witness.PLAN, seen=said)
    asked = [each for each in probed if each.cause is Cause.UNSAFE_PASSWORD_REQUEST]
    if asked and any(True for _ in changes):
        seen = f"{asked[0].seen}; DMS would send it, so the endpoint is not changed"
        yield finding(
            Cause.UNSAFE_PASSWORD_REQUEST,
            place=Witness.PLAN,
            seen=seen,
            severity=Severity.ERROR,
        )
