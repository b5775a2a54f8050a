"""Why OpenSSL rejected a chain, where its code has no cause of its own, and what to do.

libpq says "certificate verify failed" of all of them. Whoever reads this has run the probe already.
"""

from collections.abc import Sequence

from certifier.certificate import CertificateFacts
from certifier.diagnosis.catalogue import MAKE_A_CA, NO_CA
from certifier.text import brief, listed

# X509_V_ERR_... (openssl/x509_vfy.h)
_PATH_TOO_LONG = 25
_UNTRUSTED = frozenset({27, 28})
_CANNOT_SIGN = 32
_CRITICAL = 34
_NAMES_EXCLUDED = frozenset({47, 48, 49, 50, 51, 52})
_INVALID_CA = frozenset({24, 79})

_TRUST = (
    "Write that CA as a plain certificate, from BEGIN CERTIFICATE: "
    "`openssl x509 -in FILE -clrtrust`."
)
_NAMES = (
    "`openssl x509 -noout -ext nameConstraints -in FILE` shows which names the CA permits. Give "
    "the host one of these, or have the certificate issued by a CA that permits its name."
)
_REMEDIES = {
    _PATH_TOO_LONG: "Have the CA above made anew with a larger pathlen, or the server's "
    "certificate issued by a CA that stands higher.",
    _CANNOT_SIGN: "Make the CA anew with keyUsage keyCertSign, and sign the server's certificate "
    "with it.",
    _CRITICAL: "Issue the certificate without that extension, or with one that is not critical.",
}
_OTHER = (
    "Look at the served chain and the CA file: `certifier inspect --certificate FILE --ca-bundle "
    "FILE`. Issue again what OpenSSL names there."
)


def why_rejected(
    code: int, message: str, chain: Sequence[CertificateFacts], bundle: Sequence[CertificateFacts]
) -> str:
    """Return which certificate OpenSSL minds, as far as that is known, and why.

    Args:
        message: OpenSSL's words.
        chain: as served; bundle: the certificates of the CA file.
    """
    leaf = brief(chain[0].title) if chain else "the certificate"
    above = _above(chain, bundle)
    if code in _INVALID_CA:
        no_ca = [brief(facts.title) for facts in above if not facts.is_ca]
        who = listed(no_ca, separator=", ") or f"a certificate above {leaf}"
        return f"{who} {NO_CA} ({message})"
    if code in _NAMES_EXCLUDED:
        return f"a CA above {leaf} limits the names that it may sign for ({message})"
    if code in _UNTRUSTED:
        return f"the CA file marks a CA of {leaf} as not trusted for servers ({message})"
    if code in _REMEDIES and above:
        names = listed([brief(facts.title) for facts in above], separator=", ")
        return f"the chain of {leaf} does not verify: {message}; above it: {names}"
    return f"the chain of {leaf} does not verify: {message}"


def remedy(code: int) -> str:
    """Return what to do about a code."""
    if code in _INVALID_CA:
        return MAKE_A_CA
    if code in _NAMES_EXCLUDED:
        return _NAMES
    if code in _UNTRUSTED:
        return _TRUST
    return _REMEDIES.get(code, _OTHER)


def _above(
    chain: Sequence[CertificateFacts], bundle: Sequence[CertificateFacts]
) -> list[CertificateFacts]:
    """Return the certificates on the way up from the leaf, by names."""
    found: list[CertificateFacts] = []
    known = [*chain[1:], *bundle]
    here = chain[0] if chain else None
    while here is not None and here.issuer:
        name = here.issuer
        here = next((one for one in known if one.subject == name and one not in found), None)
        if here is not None:
            found.append(here)
    return found
