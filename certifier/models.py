"""The facts that steps hand to each other.

All values are frozen and know no AWS. The documents at the end are what the steps of one
certification write to ``runs/<run id>/<step>.json``; none of them has a field that could hold a
private key or a password.
"""

from pydantic import BaseModel, ConfigDict

from certifier.vocabulary import Cause, Severity, Stage, Witness


class Fact(BaseModel):
    """A frozen value. Errors never show the input, which may be a secret put in the wrong field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


class Finding(Fact):
    """One cause, how much it weighs, what was seen, where, and what to do next.

    Made by :func:`certifier.diagnosis.finding`, which fills in the catalogue's remedy.

    Attributes:
        seen: one sentence in our words, with the names, dates and numbers that matter.
        raw: the text of the server or service behind it, control characters escaped, at most 1 KiB.
        stage: how far the connection came, for a finding of the probe or about a connection.
    """

    cause: Cause
    severity: Severity
    seen: str
    remedy: str
    place: Witness
    raw: str | None = None
    stage: Stage | None = None


def errors_in(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that stop a certification."""
    return tuple(found for found in findings if found.severity is Severity.ERROR)
