"""What the connections of one probe showed, before anybody judges it."""

from dataclasses import dataclass

from certifier.certificate import CertificateFacts
from certifier.certificate.hostname import HostNames, Match
from certifier.probe.failure import StageFailed


@dataclass(frozen=True)
class OlderSeen:
    """What a client was shown that sends neither server name nor ALPN.

    Attributes:
        leaf: the certificate (DER); names, match: of it.
        failure: why TLS failed, or why the chain did not verify.
    """

    leaf: bytes | None = None
    names: HostNames | None = None
    match: Match | None = None
    failure: StageFailed | None = None


@dataclass(frozen=True)
class Observations:
    """What the connections showed, for the verdicts.

    Attributes:
        unreached: why there is no TLS connection at all, whatever is verified.
        trust_problem: why the CA file cannot be loaded, in OpenSSL's words; trust_content,
            trust_step: what the file is, and what to do.
        crl_problem: why the CRL file cannot be used; libpq goes on without it.
        chain_failure: why the chain did not verify; None when it did, or was not asked to.
        verified: whether the chain was verified.
        unverified_failure: why the second look, which verifies nothing, failed.
        turned_away: the alert by which the server ended a handshake that we had found good.
        alpn_refused: how the handshake failed with the name of PostgreSQL's protocol (ALPN), which
            succeeded without it.
        old_tls: the version below 1.2 that a server without 1.2 speaks.
        older: what a client without a server name was shown; None when nobody looked.
        leaf: the certificate (DER); names, match: of it; None when no leaf was seen.
        chain: as served; bundle: the certificates of the CA file.
        namesake: whether a CA of the file that has the name of the chain's last issuer signed it;
            None when no CA there has that name.
        path: from the leaf up to the CA that it was verified with, without that; empty when it was
            not verified.
    """

    unreached: StageFailed | None = None
    trust_problem: str | None = None
    trust_content: str | None = None
    trust_step: str | None = None
    crl_problem: str | None = None
    chain_failure: StageFailed | None = None
    verified: bool = False
    unverified_failure: StageFailed | None = None
    turned_away: StageFailed | None = None
    alpn_refused: StageFailed | None = None
    old_tls: str | None = None
    older: OlderSeen | None = None
    leaf: bytes | None = None
    names: HostNames | None = None
    match: Match | None = None
    chain: tuple[CertificateFacts, ...] = ()
    bundle: tuple[CertificateFacts, ...] = ()
    namesake: bool | None = None
    path: tuple[CertificateFacts, ...] = ()

    @property
    def walked(self) -> tuple[CertificateFacts, ...]:
        """The certificates that a client goes over; all that were served, if none got through."""
        return self.path or self.chain
