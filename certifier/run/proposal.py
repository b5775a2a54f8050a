"""A proposal: the word that stands for the root in which a served chain ends. Pure."""

from collections.abc import Callable, Sequence

from certifier.certificate import CertificateFacts
from certifier.certificate.trust_sets import TrustWord
from certifier.diagnosis import finding
from certifier.evidence import ProbeReport
from certifier.models import Finding
from certifier.source_values import word_mistake
from certifier.vocabulary import Cause, SslMode, Stage, Witness

_FOR_WANT_OF_A_ROOT = frozenset(
    {
        Cause.CA_BUNDLE_MISSING,
        Cause.UNKNOWN_AUTHORITY,
        Cause.CHAIN_INCOMPLETE,
        Cause.NO_USABLE_CA,
    }
)

WordsFor = Callable[[CertificateFacts], Sequence[TrustWord]]
"""Returns the words that hold the root above the top of a chain (``Roots.words_for``)."""


def proposed_words(report: ProbeReport, words_for: WordsFor) -> tuple[TrustWord, ...]:
    """Return the words under which the served chain would verify; the narrowest first.

    ``public`` is proposed to whoever verifies names, or nothing yet.
    """
    chain = report.evidence.chain
    if not chain:
        return ()
    full = report.ssl_mode is not SslMode.VERIFY_CA
    host = report.evidence.host
    return tuple(
        word
        for word in words_for(top_of(chain))
        if word_mistake(word, host, verify_full=full) is None
    )


def top_of(chain: Sequence[CertificateFacts]) -> CertificateFacts:
    """Return the last certificate on the way up from the leaf, by names."""
    top = chain[0]
    for _ in chain:
        above = next((one for one in chain if one.subject == top.issuer and one != top), None)
        if above is None or top.self_signed:
            break
        top = above
    return top


def named_trust_fits(
    report: ProbeReport, words_for: WordsFor, *, command: str | None = None
) -> Finding | None:
    """Return the finding that proposes a word, where a root is what is missing.

    Args:
        command: what a person types, before the word; ``None``: it goes into a source.
    """
    if report.verdicts.verify_ca.cause not in _FOR_WANT_OF_A_ROOT:
        return None
    words = proposed_words(report, words_for)
    if not words:
        return None
    top = top_of(report.evidence.chain)
    root = top.subject if top.self_signed else top.issuer
    also = f" (so does {' and '.join(words[1:])})" if words[1:] else ""
    return finding(
        Cause.NAMED_TRUST_FITS,
        place=Witness.PROBE,
        seen=f"the chain ends in {root}, which the word {words[0].value} stands for{also}",
        stage=Stage.TLS,
        remedy=f"{command} {words[0].value}"
        if command
        else f'Write "ca_bundle": "{words[0].value}" into the source.',
    )
