"""What a mode that does not verify leaves open: said with every run, and refused where it leaks.

Pure decisions over values.
"""

from collections.abc import Iterable, Iterator

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Change, Material, Probed
from certifier.source import ProbePolicy, Source
from certifier.vocabulary import Cause, Severity, SslMode, Witness

_LEFT_OPEN = {
    SslMode.NONE: "ssl_mode none: DMS connects in plain text, and verifies nothing: whoever is in "
    "between reads everything, and can answer in the server's place",
    SslMode.REQUIRE: "ssl_mode require: DMS encrypts, and verifies neither chain nor host name: "
    "whoever is in between can answer in the server's place, and read everything",
}


def exposure(
    source: Source,
    probed: Iterable[Finding],
    changes: Iterable[Change],
    *,
    unseen: str | None = None,
) -> Iterator[Finding]:
    """Yield what the source's mode leaves open, and that DMS would be made to send a password.

    Args:
        probed: the findings of the probe.
        changes: what the endpoint needs; with any, DMS logs in with what it gets.
        unseen: why nobody knows how the server asks for the password; see :func:`login_unseen`.
    """
    if (said := _LEFT_OPEN.get(source.ssl_mode)) is not None:
        if unseen is not None:
            said += (
                f". How the server asks for the password was not looked at, since {unseen}; DMS"
                " answers whoever asks, in clear text too"
            )
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


def login_unseen(source: Source, material: Material, probed: Probed) -> str | None:
    """Return why nobody knows how the server asks for a password; ``None``: the probe has looked.

    The absence of a warning is not a finding that all is well.
    """
    endpoint = material.endpoint
    if source.probe is ProbePolicy.OFF:
        return "probe is off"
    if source.probe_login is False:
        return "probe_login is false"
    if probed.report is None or probed.report.evidence.peer is None:
        return "the probe did not reach the server"
    if not (source.logs_in or material.username or (endpoint and endpoint.fields.username)):
        return "the user is in a secret that the source does not name"
    return None
