"""What is known of roots: read when it is first asked for, and then kept."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from certifier.certificate import Certificate, certificates_in
from certifier.certificate.canonical import canonical
from certifier.certificate.trust_sets import (
    BY_WORD,
    TrustWord,
    of_one_owner,
    owners_bundle,
    region_of_root,
    words_of,
)
from certifier.rds_names import RdsName
from certifier.roots.fetch import fetch_rds_bundle

if TYPE_CHECKING:
    from certifier.certificate import CertificateFacts

RDS_FILE = "rds-g1-roots.pem"

Fetch = Callable[[str], bytes]
"""Returns the bundle of a Region as AWS publishes it, or raises ``TrustStoreUnreachable``."""


def _certifi() -> tuple[bytes, str]:
    import certifi  # noqa: PLC0415 - read by whoever names public roots, and nobody else

    return Path(certifi.where()).read_bytes(), f"certifi {certifi.__version__}"


def _packaged() -> bytes:
    return resources.files(__package__ or __name__).joinpath(RDS_FILE).read_bytes()


@dataclass(frozen=True)
class Roots:
    """What is known of roots. Every part is read when it is first asked for, and then kept.

    Attributes:
        read_public: gives the PEM of the public roots, and what to call it.
        read_rds: gives the PEM of the roots of RDS of every known Region.
        fetch: gets the bundle of a Region from AWS.
    """

    read_public: Callable[[], tuple[bytes, str]] = _certifi
    read_rds: Callable[[], bytes] = _packaged
    fetch: Fetch = fetch_rds_bundle

    @cached_property
    def _public(self) -> tuple[tuple[Certificate, ...], str]:
        pem, version = self.read_public()
        return tuple(Certificate(der) for der in certificates_in(pem)), version

    @property
    def version(self) -> str:
        """What the public roots are taken from, such as ``certifi 2026.10.18``."""
        return self._public[1]

    @property
    def public_pem(self) -> str:
        """Every public root, as one canonical bundle."""
        return canonical(root.der for root in self._public[0])

    def of_owner(self, sha256: str) -> str | None:
        """Return the public roots of the owner of one; ``None``: it is not a public root."""
        return of_one_owner(self._public[0], sha256)

    def owners_with(self, digest: str) -> str | None:
        """Return the public roots of the owner whose bundle has that digest."""
        return owners_bundle(self._public[0], digest)

    def public_in(self, pem: str) -> str | None:
        """Return the public roots among certificates, as a bundle; ``None``: there are none."""
        held = set(certificates_in(pem))
        return canonical(root.der for root in self._public[0] if root.der in held) or None

    def of_word(self, word: TrustWord) -> str:
        """Return the roots of a set of the table that the store still holds; empty without any."""
        listed = {root.sha256 for root in BY_WORD[word].roots}
        return canonical(root.der for root in self._public[0] if root.sha256 in listed)

    @cached_property
    def _rds(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for der in certificates_in(self.read_rds()):
            region = region_of_root(Certificate(der).subject)
            if region is not None:
                found.setdefault(region, []).append(der)
        return found

    def of_region(self, region: str) -> tuple[bytes, ...]:
        """Return the roots of RDS of a Region, in DER; empty for one that the data lacks."""
        return tuple(self._rds.get(region, ()))

    def offline(self, word: TrustWord, name: RdsName | None) -> str:
        """Return what a word stands for without asking anybody; empty when it is not known here.

        ``public`` gives every public root: which of them matter, only a served chain shows.

        Args:
            name: of the host, for ``rds``.
        """
        match word:
            case TrustWord.RDS:
                return canonical(self.of_region(name.region)) if name else ""
            case TrustWord.PUBLIC:
                return self.public_pem
            case _:
                return self.of_word(word)

    def words_for(self, top: "CertificateFacts") -> tuple[TrustWord, ...]:
        """Return the words that hold the root above (or at) the top of a served chain.

        By the names alone: it is a proposal, and whoever follows it verifies. The narrowest first.
        """
        name = top.subject if top.self_signed else top.issuer
        if region_of_root(name) is not None:
            return (TrustWord.RDS,)
        roots = [root for root in self._public[0] if root.subject == name]
        words = [word for root in roots for word in words_of(root.sha256)]
        return (*dict.fromkeys(words), *((TrustWord.PUBLIC,) if roots else ()))
