"""Who signed whom among some certificates, and the best way from a leaf up to a trusted root.

Not checked: name constraints, policies and revocation; the probe sees those with a real TLS
library.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from certifier.certificate.reading import Certificate

MAX_EFFORT: Final = 4_400
"""How much checking of signatures is done for one pile, see ``KeyKind.effort``: a fifth of a
second, enough for twice the CAs of an operating system."""
TOO_MUCH: Final = "checking who signed whom would take too long; hand over fewer certificates"


class End(Enum):
    """How a path ends."""

    ANCHOR = auto()  # in a self-signed certificate that is trusted
    SELF_SIGNED = auto()  # in a self-signed certificate that is not
    OPEN = auto()  # its last certificate's issuer is not among the certificates


@dataclass(frozen=True)
class Path:
    """A leaf, its issuer, that one's issuer, and so on."""

    certificates: tuple[Certificate, ...]
    end: End

    @property
    def top(self) -> Certificate:
        """The last certificate."""
        return self.certificates[-1]


class Graph:
    """Certificates and the signatures between them, verified when asked for, each once.

    When that would take more than ``MAX_EFFORT``, the rest counts as not signed, and ``exhausted``
    is true.
    """

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self.exhausted = False
        self._effort = 0
        self._checked: dict[tuple[Certificate, Certificate], bool] = {}
        self._issuers: dict[Certificate, tuple[Certificate, ...]] = {}
        self._by_subject: dict[bytes | None, list[Certificate]] = {}
        for certificate in sorted(set(certificates), key=_newest_first):
            self._by_subject.setdefault(certificate.subject_raw, []).append(certificate)

    def named(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Return the certificates with the name of its issuer, whatever their key."""
        return tuple(self._by_subject.get(certificate.issuer_raw, ()))

    def namesakes(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Return what carries the name of its issuer and could be it by its key identifier."""
        wanted = certificate.authority_key_id
        return tuple(
            other
            for other in self.named(certificate)
            if wanted is None or other.subject_key_id in (None, wanted)
        )

    def issuers(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Return those whose key signed it, itself included when it did, newest first."""
        found = self._issuers.get(certificate)
        if found is None:
            found = tuple(
                one for one in self.namesakes(certificate) if self._signed(certificate, one)
            )
            self._issuers[certificate] = found
        return found

    def self_signed(self, certificate: Certificate) -> bool:
        """Whether its own key signed it."""
        return certificate.self_issued and self._signed(certificate, certificate)

    def _signed(self, certificate: Certificate, issuer: Certificate) -> bool:
        known = self._checked.get((certificate, issuer))
        if known is None:
            self._effort += issuer.key_kind.effort if issuer.key_kind else 0
            if self._effort > MAX_EFFORT:
                self.exhausted = True
                return False
            known = (
                certificate.self_signed
                if issuer == certificate
                else certificate.signed_by(issuer) is True
            )
            self._checked[certificate, issuer] = known
        return known

    def path(self, leaf: Certificate, anchors: frozenset[Certificate], now: datetime) -> Path:
        """Return the best path, the same one whatever the order of the certificates was.

        First one over usable CAs to an anchor, then over any, then to a root that is not trusted,
        then as far as it goes. The shortest of its kind; among equals, the one that is valid
        longest.
        """

        def usable(certificate: Certificate) -> bool:
            return certificate.is_ca and certificate.valid_at(now)

        def anything(_: Certificate) -> bool:
            return True

        ends: tuple[tuple[End, Callable[[Certificate], bool]], ...] = (
            (End.ANCHOR, anchors.__contains__),
            (End.SELF_SIGNED, self.self_signed),
        )
        for end, reached in ends:
            for passable in (usable, anything):
                found = self._shortest(leaf, reached, passable)
                if found:
                    return Path(found, end)
        for passable in (usable, anything):
            found = self._longest(leaf, passable)
            if len(found) > 1:
                break
        return Path(found, End.OPEN)

    def _shortest(
        self,
        leaf: Certificate,
        reached: Callable[[Certificate], bool],
        passable: Callable[[Certificate], bool],
    ) -> tuple[Certificate, ...]:
        for found in self._walk(leaf, passable):
            if reached(found[-1]):
                return found
        return ()

    def _longest(
        self, leaf: Certificate, passable: Callable[[Certificate], bool]
    ) -> tuple[Certificate, ...]:
        longest: tuple[Certificate, ...] = (leaf,)
        for found in self._walk(leaf, passable):
            if len(found) > len(longest):
                longest = found
        return longest

    def _walk(
        self, leaf: Certificate, passable: Callable[[Certificate], bool]
    ) -> Iterable[tuple[Certificate, ...]]:
        """Yield a shortest path to the leaf itself, and to all above it, nearest first."""
        below: dict[Certificate, Certificate | None] = {leaf: None}
        row: list[Certificate] = [leaf]
        while row:
            for certificate in row:
                yield _way(below, certificate)
            above: list[Certificate] = []
            for certificate in row:
                for issuer in self.issuers(certificate):
                    if issuer not in below and passable(issuer):
                        below[issuer] = certificate
                        above.append(issuer)
            row = above


def _way(below: dict[Certificate, Certificate | None], top: Certificate) -> tuple[Certificate, ...]:
    way = [top]
    while (lower := below[way[-1]]) is not None:
        way.append(lower)
    return tuple(reversed(way))


def _newest_first(certificate: Certificate) -> tuple[float, str]:
    end = certificate.not_after
    return (0.0 if end is None else -end.timestamp(), certificate.sha256)


def in_order(given: Sequence[Certificate], path: Sequence[Certificate]) -> bool:
    """Whether the certificates of a path were given in its order."""
    places = [given.index(certificate) for certificate in path if certificate in given]
    return places == sorted(places)
