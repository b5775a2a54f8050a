"""The sets of roots that a source may name by a word, and whose each public root is.

One table: every root of a set by its SHA-256, with where its membership was read and when. The
certificates themselves come from elsewhere (``certifier.roots``) and are taken by fingerprint, so a
root that the store drops is dropped here too. ``rds`` has no rows: its roots are those of the
host's Region. ``public`` has none either: it is every root of the store, of which an endpoint gets
those of one owner.

Not listed, because they are in no trust store yet: Let's Encrypt's Root YE and Root YR, which are
trusted through the cross-sign by ISRG Root X1 or X2 that the server must send.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from certifier.certificate.canonical import bundle_digest, canonical

if TYPE_CHECKING:
    from certifier.certificate.reading import Certificate


class TrustWord(StrEnum):
    """What ``ca_bundle`` takes instead of a bundle."""

    RDS = "rds"  # the roots of the host's Region
    PUBLIC = "public"  # the root that the served chain ends in, and its owner's others
    LETSENCRYPT = "letsencrypt"
    AMAZON = "amazon"  # ACM, RDS Proxy
    AZURE = "azure"


@dataclass(frozen=True)
class NamedRoot:
    """A root of a set: the name in its subject, and the SHA-256 of its DER."""

    name: str
    sha256: str


@dataclass(frozen=True)
class TrustSet:
    """A set of roots.

    Attributes:
        source: where it was read that these are the roots, and ``read_on``: when.
    """

    word: TrustWord
    roots: tuple[NamedRoot, ...]
    source: str
    read_on: str


SETS: Final = (
    TrustSet(
        TrustWord.LETSENCRYPT,
        (
            NamedRoot(
                "ISRG Root X1",
                "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6",
            ),
            NamedRoot(
                "ISRG Root X2",
                "69729b8e15a86efc177a57afb7171dfc64add28c2fca8cf1507e34453ccb1470",
            ),
        ),
        source="letsencrypt.org/certificates, as of 2026-01-08: the roots that trust stores hold",
        read_on="2026-11-29",
    ),
    TrustSet(
        TrustWord.AMAZON,
        (
            NamedRoot(
                "Amazon Root CA 1",
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
            ),
            NamedRoot(
                "Amazon Root CA 2",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
            ),
            NamedRoot(
                "Amazon Root CA 3",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
            ),
            NamedRoot(
                "Amazon Root CA 4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
            ),
            NamedRoot(
                "Starfield Services Root Certificate Authority - G2",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ),
        ),
        source="Amazon Trust Services, amazontrust.com/repository; of ACM and RDS Proxy by the AWS "
        "user guides",
        read_on="2026-11-29",
    ),
    TrustSet(
        TrustWord.AZURE,
        (
            NamedRoot(
                "DigiCert Global Root G2",
                "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f",
            ),
            NamedRoot(
                "Microsoft RSA Root Certificate Authority 2017",
                "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0",
            ),
            NamedRoot(
                "Microsoft ECC Root Certificate Authority 2017",
                "358df39d764af9e1b766e9c972df352ee15cfac227af6ad1d70e8e4a6edcba02",
            ),
        ),
        source="learn.microsoft.com/azure/postgresql, TLS concepts (rotation of 2025-11 to 2026): "
        "the first two; the ECC root is Microsoft's sibling of the second, added by us",
        read_on="2026-11-29",
    ),
)

BY_WORD: Final[Mapping[TrustWord, TrustSet]] = MappingProxyType({one.word: one for one in SETS})

# Who owns a root says the organisation in its subject, but for these: an owner with several names,
# and roots that changed hands (CCADB, "Included CA Certificates", column Owner; read 2026-11-29 in
# public copies of its report).
_OWNERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DigiCert\\, Inc.": "DigiCert Inc",
        "GlobalSign nv-sa": "GlobalSign",
        "COMODO CA Limited": "Sectigo Limited",
        "The USERTRUST Network": "Sectigo Limited",
        "Starfield Technologies\\, Inc.": "GoDaddy.com\\, Inc.",
        "SECOM Trust Systems Co.\\, Ltd.": "SECOM Trust Systems CO.\\,LTD.",
        "Telia Finland Oyj": "Telia Company AB",
    }
)
_MOVED: Final = frozenset(root.sha256 for root in BY_WORD[TrustWord.AMAZON].roots)
_ORGANISATION = re.compile(r"(?:^|,)O=((?:[^,\\]|\\.)+)")
_RDS_ROOT = re.compile(
    r"(?:^|,)CN=Amazon RDS ([a-z0-9-]{4,32}) Root CA (?:RSA2048|RSA4096|ECC384) G[0-9](?:,|$)"
)


def owner_of(root: "Certificate") -> str:
    """Return whose a public root is; for one without an organisation, the root's own name."""
    if root.sha256 in _MOVED:
        return "Amazon"
    found = _ORGANISATION.search(root.subject or "")
    if found is None:
        return root.title
    return _OWNERS.get(found[1], found[1])


def of_one_owner(store: Iterable["Certificate"], sha256: str) -> str | None:
    """Return the roots of the owner of one root, as a canonical bundle; ``None``: not in there."""
    roots = tuple(store)
    anchor = next((one for one in roots if one.sha256 == sha256), None)
    if anchor is None:
        return None
    owner = owner_of(anchor)
    return canonical(one.der for one in roots if owner_of(one) == owner)


def owners_bundle(store: Iterable["Certificate"], digest: str) -> str | None:
    """Return the owner's roots whose bundle has that digest; ``None``: no owner's has."""
    owned: dict[str, list[bytes]] = {}
    for root in store:
        owned.setdefault(owner_of(root), []).append(root.der)
    bundles = map(canonical, owned.values())
    return next((pem for pem in bundles if bundle_digest(pem) == digest), None)


def region_of_root(subject: str | None) -> str | None:
    """Return the Region of a root of RDS, by its name; ``None``: it is not one."""
    found = _RDS_ROOT.search(subject or "")
    return found[1] if found else None


def words_of(sha256: str) -> Iterator[TrustWord]:
    """Yield the words of the table that stand for this root among others."""
    for one in SETS:
        if any(root.sha256 == sha256 for root in one.roots):
            yield one.word
