"""Certificates, CA files, hosts and modes of every shape, as values that hypothesis can shrink.

A `Server` describes what is served, a `Client` what is asked; `build` makes the real thing of the
first, and `ca_file` and `crl_file` the files of the second. The simplest member of every vocabulary
stands first, so that a counterexample shrinks towards a plain certificate that verifies.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import strategies as st

from sandbox.pki import (
    CLIENT_AUTH,
    SERVER_AUTH,
    Authority,
    BasicConstraints,
    Key,
    Leaf,
    self_signed,
    without_seconds,
)

HOST = "db.example.com"
_ANY_USAGE = x509.ObjectIdentifier("2.5.29.37.0")
_DAY = timedelta(days=1)
_DELTA = ((x509.CRLNumber(2), False), (x509.DeltaCRLIndicator(1), True))


def _raw(name: str, der: str, *, critical: bool) -> tuple[x509.UnrecognizedExtension, bool]:
    made = x509.UnrecognizedExtension(x509.ObjectIdentifier(name), bytes.fromhex(der))
    return made, critical


_EMPTY_POINT = (_raw("2.5.29.28", "3000", critical=True),)


class Dates(Enum):
    """When a certificate is valid."""

    NOW = auto()
    PAST = auto()
    FUTURE = auto()

    def keywords(self) -> dict[str, Any]:
        now = datetime.now(UTC).replace(microsecond=0)
        match self:
            case Dates.NOW:
                return {}
            case Dates.PAST:
                return {"not_before": now - 30 * _DAY, "not_after": now - _DAY}
            case Dates.FUTURE:
                return {"not_before": now + _DAY, "not_after": now + 30 * _DAY}


@dataclass(frozen=True)
class Ca:
    """An authority: what it is like."""

    key: Key = Key.EC_P256
    dates: Dates = Dates.NOW
    basic_constraints: BasicConstraints = BasicConstraints.CRITICAL
    path_length: int | None = None
    key_usage: bool = True
    key_ids: bool = True
    version: int = 3
    digest: str | None = None
    name_constraint: str | None = None
    odd: str | None = None

    def keywords(self) -> dict[str, Any]:
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if self.name_constraint is not None:
            extensions.append((_constraint(self.name_constraint), True))
        if self.odd is not None:
            extensions.append(ODD_EXTENSIONS[self.odd])
        return {
            "key": self.key,
            "basic_constraints": self.basic_constraints,
            "path_length": self.path_length,
            "key_usage": self.key_usage and self.odd not in ("empty usage", "signs lists alone"),
            "ski": self.key_ids,
            "aki": self.key_ids,
            "version": self.version,
            "digest": _digest(self.digest, self.key),
            "extensions": tuple(extensions),
            **self.dates.keywords(),
        }


ODD_EXTENSIONS: Mapping[str, tuple[x509.ExtensionType, bool]] = {
    "unknown": _raw("1.2.3.4", "0500", critical=True),
    "empty usage": _raw("2.5.29.15", "030100", critical=True),
    "signs lists alone": _raw("2.5.29.15", "03020102", critical=True),
    "for clients": (x509.ExtendedKeyUsage([CLIENT_AUTH]), False),
    "for servers": (x509.ExtendedKeyUsage([SERVER_AUTH]), True),
    "damaged usage": _raw("2.5.29.37", "0500", critical=False),
    "asks for a policy": (x509.PolicyConstraints(0, None), True),
    "no policy": (x509.InhibitAnyPolicy(0), True),
    "damaged policies": _raw("2.5.29.36", "0500", critical=True),
    "addresses of another network": _raw("1.3.6.1.5.5.7.1.7", "3000", critical=True),
    "must staple": (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
}


def _constraint(text: str) -> x509.NameConstraints:
    sign, name = text[0], text[1:]
    found: x509.GeneralName = (
        x509.IPAddress(ipaddress.ip_network(name)) if "/" in name else x509.DNSName(name)
    )
    return x509.NameConstraints(*(([found], None) if sign == "+" else (None, [found])))


def _digest(name: str | None, key: Key) -> hashes.HashAlgorithm | None:
    made: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
        "sha384": hashes.SHA384,
        "sha1": hashes.SHA1,
    }
    rsa_pss_signs_modern_hashes_only = key is Key.RSA_PSS and name == "sha1"
    return None if name is None or rsa_pss_signs_modern_hashes_only else made[name]()


@dataclass(frozen=True)
class Names:
    """What the leaf calls itself; `other` is a ready-made oddity from `ODD_NAMES`."""

    dns: tuple[str | bytes, ...] = (HOST,)
    ips: tuple[str | bytes, ...] = ()
    cn: str | tuple[str, ...] | None = None
    other: str | None = None


ODD_NAMES: Mapping[str, dict[str, Any]] = {
    "email only": {"emails": ["dba@example.com"], "cn": HOST},
    "uri only": {"uris": [f"https://{HOST}/"], "cn": HOST},
    "empty san": {"san_raw": bytes.fromhex("3000"), "cn": HOST},
    "truncated san": {"san_raw": bytes.fromhex("300582106162"), "cn": HOST},
    "no sequence": {"san_raw": bytes.fromhex("04026162"), "cn": HOST},
    "open length": {"san_raw": bytes.fromhex("30808201610000"), "cn": HOST},
    "in pieces": {"san_raw": bytes.fromhex("3005a203160161"), "cn": HOST},
    "trailing bytes": {"san_raw": bytes.fromhex("3003820161ffff"), "cn": HOST},
    "directory name": {"san_raw": bytes.fromhex("3004a4023000"), "cn": HOST},
    "registered id": {"san_raw": bytes.fromhex("300488022a03"), "cn": HOST},
    "critical san": {"dns": [HOST], "san_critical": True},
    "bmp cn": {
        "subject": x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST, _ASN1Type.BMPString)])
    },
    "cn at last": {
        "subject": x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
                x509.NameAttribute(NameOID.COMMON_NAME, "first"),
                x509.NameAttribute(NameOID.COMMON_NAME, HOST),
            ]
        )
    },
}


class Served(Enum):
    """Which certificates the server sends, leaf first."""

    FULL = auto()
    LEAF_ONLY = auto()
    WITH_ROOT = auto()
    REVERSED = auto()
    TWICE = auto()
    STRANGER_BETWEEN = auto()
    WITHOUT_SECONDS = auto()


class Issuer(Enum):
    """Who signs the leaf."""

    ROOT = auto()
    INTERMEDIATE = auto()
    TWO_INTERMEDIATES = auto()
    CROSS_SIGNED = auto()
    ITSELF = auto()
    ANOTHER_LEAF = auto()


@dataclass(frozen=True)
class Server:
    """What the server serves."""

    issuer: Issuer = Issuer.ROOT
    root: Ca = Ca()
    intermediate: Ca = Ca()
    names: Names = Names()
    key: Key = Key.EC_P256
    dates: Dates = Dates.NOW
    usage: tuple[x509.ObjectIdentifier, ...] = (SERVER_AUTH,)
    basic_constraints: BasicConstraints = BasicConstraints.CRITICAL
    key_usage: bool = True
    key_ids: bool = True
    version: int = 3
    digest: str | None = None
    pss: bool = False
    unknown_critical: bool = False
    served: Served = Served.FULL

    def build(self) -> World:
        """Make keys and certificates."""
        root = Authority.root("Example root", **self.root.keywords())
        authority, others = root, []
        if self.issuer in (Issuer.INTERMEDIATE, Issuer.TWO_INTERMEDIATES):
            keywords = self.intermediate.keywords()
            authority = root.intermediate("Example issuing CA", **keywords)
            others.append(authority)
            if self.issuer is Issuer.TWO_INTERMEDIATES:
                authority = authority.intermediate("Example second CA")
                others.append(authority)
        elif self.issuer is Issuer.CROSS_SIGNED:
            authority = Authority.root("Example old root").cross_sign(root)
        elif self.issuer is Issuer.ANOTHER_LEAF:
            above = root.issue(dns=["above.example.com"])
            authority = Authority(
                above.certificate, above.private_key, above.kind, (above.certificate,)
            )
        return World(self, root, tuple(others), self._leaf(authority))

    def _leaf(self, authority: Authority) -> Leaf:
        names: dict[str, Any] = {
            "dns": self.names.dns,
            "ips": self.names.ips,
            "cn": self.names.cn,
        }
        if self.issuer is Issuer.ITSELF:
            return self_signed(
                **names,
                key=self.key,
                eku=self.usage,
                digest=_digest(self.digest, self.key),
                basic_constraints=self.basic_constraints,
                key_usage=self.key_usage,
                version=self.version,
                **self.dates.keywords(),
            )
        if self.names.other is not None:
            names = dict(ODD_NAMES[self.names.other])
        extensions = []
        if self.unknown_critical:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
            extensions.append((unknown, True))
        rsa = authority.kind in (Key.RSA_1024, Key.RSA_2048, Key.RSA_3072, Key.RSA_4096)
        return authority.issue(
            **names,
            key=self.key,
            eku=self.usage,
            digest=_digest(self.digest, authority.kind),
            pss=self.pss and rsa and self.digest != "sha1",
            basic_constraints=self.basic_constraints,
            key_usage=self.key_usage,
            ski=self.key_ids,
            aki=self.key_ids,
            version=self.version,
            extensions=tuple(extensions),
            **self.dates.keywords(),
        )


class CaFile(Enum):
    """What the client trusts."""

    ROOT = auto()
    MISSING = auto()
    EMPTY = auto()
    GARBAGE = auto()
    ISSUERS = auto()
    ISSUERS_AND_ROOT = auto()
    LEAF = auto()
    STRANGER = auto()
    STRANGER_AND_ROOT = auto()
    SAME_NAME = auto()
    SAME_NAME_WITHOUT_IDS = auto()
    SAME_NAME_AND_ROOT = auto()
    ROOT_TWICE = auto()
    WITH_TEXT = auto()
    WINDOWS_LINES = auto()
    ONE_LINE = auto()
    INDENTED = auto()
    BYTE_ORDER_MARK = auto()
    BINARY = auto()
    WITH_KEY = auto()
    WITH_OLD_KEY = auto()
    KEY_ONLY = auto()
    WITH_CRL = auto()
    CRL_ONLY = auto()
    OLD_LABEL = auto()
    TRUSTED_LABEL = auto()
    CUT_OFF = auto()
    CUT_OFF_BEFORE = auto()
    DAMAGED_AFTER = auto()
    NO_CERTIFICATE_AFTER = auto()
    NO_LAST_NEWLINE = auto()
    LONG_LINE_BEFORE = auto()
    WITHOUT_SECONDS_AFTER = auto()


class CrlFile(Enum):
    """The revocation lists that the client has."""

    MISSING = auto()
    ALL = auto()
    LEAF_REVOKED = auto()
    ISSUER_REVOKED = auto()
    ROOT_ONLY = auto()
    OLD = auto()
    FUTURE = auto()
    STRANGER = auto()
    EMPTY = auto()
    GARBAGE = auto()
    ALL_AND_ROOT = auto()
    DELTA_ONLY = auto()
    ALL_AND_DELTA = auto()
    EMPTY_POINT_ONLY = auto()
    ALL_AND_EMPTY_POINT = auto()


@dataclass(frozen=True)
class Client:
    """What is asked of the server."""

    ca: CaFile = CaFile.ROOT
    host: str = HOST
    crl: CrlFile = CrlFile.MISSING
    min_tls: str | None = None
    max_tls: str | None = None


@dataclass(frozen=True)
class World:
    """The certificates of one `Server`."""

    server: Server
    root: Authority
    intermediates: tuple[Authority, ...]
    leaf: Leaf

    @property
    def key_pem(self) -> bytes:
        return self.leaf.key_pem

    @property
    def fullchain_pem(self) -> bytes:
        """What is served."""
        leaf, chain = self.leaf.certificate_pem, [_pem(one) for one in self.leaf.chain]
        match self.server.served:
            case Served.FULL:
                return leaf + b"".join(chain)
            case Served.LEAF_ONLY:
                return leaf
            case Served.WITH_ROOT:
                return leaf + b"".join(chain) + self.root.certificate_pem
            case Served.REVERSED:
                return leaf + b"".join(reversed(chain))
            case Served.TWICE:
                return leaf + b"".join(chain) + b"".join(chain) + leaf
            case Served.STRANGER_BETWEEN:
                return leaf + self.stranger.certificate_pem + b"".join(chain)
            case Served.WITHOUT_SECONDS:
                return without_seconds(self.leaf) + b"".join(chain)

    @cached_property
    def stranger(self) -> Authority:
        return Authority.root("Other root")

    def ca_file(self, shape: CaFile) -> bytes | None:
        """The content of a CA file; None when there is no file."""
        root, stranger = self.root.certificate_pem, self.stranger.certificate_pem
        issuers = b"".join(one.certificate_pem for one in self.intermediates) or root
        made: dict[CaFile, Callable[[], bytes | None]] = {
            CaFile.ROOT: lambda: root,
            CaFile.MISSING: lambda: None,
            CaFile.EMPTY: lambda: b"",
            CaFile.GARBAGE: lambda: b"this is not a certificate\n",
            CaFile.ISSUERS: lambda: issuers,
            CaFile.ISSUERS_AND_ROOT: lambda: issuers + root,
            CaFile.LEAF: lambda: self.leaf.certificate_pem,
            CaFile.STRANGER: lambda: stranger,
            CaFile.STRANGER_AND_ROOT: lambda: stranger + root,
            CaFile.SAME_NAME: lambda: self._namesake().certificate_pem,
            CaFile.SAME_NAME_WITHOUT_IDS: lambda: self._namesake(ski=False).certificate_pem,
            CaFile.SAME_NAME_AND_ROOT: lambda: self._namesake().certificate_pem + root,
            CaFile.ROOT_TWICE: lambda: root + root,
            CaFile.WITH_TEXT: lambda: b"# our root\n\n" + root + b"and nothing else\n",
            CaFile.WINDOWS_LINES: lambda: root.replace(b"\n", b"\r\n"),
            CaFile.ONE_LINE: lambda: _on_one_line(root),
            CaFile.INDENTED: lambda: b"".join(b"  " + line for line in root.splitlines(True)),
            CaFile.BYTE_ORDER_MARK: lambda: b"\xef\xbb\xbf" + root,
            CaFile.BINARY: lambda: self.root.certificate.public_bytes(Encoding.DER),
            CaFile.WITH_KEY: lambda: root + self.root.key_pem,
            CaFile.WITH_OLD_KEY: lambda: root + _old_key(self.stranger),
            CaFile.KEY_ONLY: lambda: self.root.key_pem,
            CaFile.WITH_CRL: lambda: root + self.root.crl([self.leaf]),
            CaFile.CRL_ONLY: self.root.crl,
            CaFile.OLD_LABEL: lambda: root.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
            CaFile.TRUSTED_LABEL: lambda: root.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"),
            CaFile.CUT_OFF: lambda: root + stranger[:200],
            CaFile.CUT_OFF_BEFORE: lambda: stranger[:200] + b"\n" + root,
            CaFile.DAMAGED_AFTER: lambda: root + stranger.replace(b"M", b"!", 3),
            CaFile.NO_CERTIFICATE_AFTER: lambda: root + _pem_of(b"\x30\x00"),
            CaFile.NO_LAST_NEWLINE: root.rstrip,
            CaFile.LONG_LINE_BEFORE: lambda: b"#" * 3000 + b"\n" + root,
            CaFile.WITHOUT_SECONDS_AFTER: lambda: root + without_seconds(self.stranger),
        }
        return made[shape]()

    def crl_file(self, shape: CrlFile) -> bytes | None:
        """The content of a CRL file; None when there is no file."""
        signers = (self.root, *self.intermediates)
        nearest = signers[-1]
        now = datetime.now(UTC).replace(microsecond=0)

        def everyone(**dates: Any) -> bytes:
            return b"".join(one.crl(**dates) for one in signers)

        match shape:
            case CrlFile.MISSING:
                return None
            case CrlFile.ALL:
                return everyone()
            case CrlFile.LEAF_REVOKED:
                return b"".join(one.crl() for one in signers[:-1]) + nearest.crl([self.leaf])
            case CrlFile.ISSUER_REVOKED:
                return self.root.crl(self.intermediates[:1]) + b"".join(
                    one.crl() for one in self.intermediates
                )
            case CrlFile.ROOT_ONLY:
                return self.root.crl()
            case CrlFile.OLD:
                return everyone(last_update=now - 60 * _DAY)
            case CrlFile.FUTURE:
                return everyone(last_update=now + _DAY)
            case CrlFile.STRANGER:
                return self.stranger.crl()
            case CrlFile.EMPTY:
                return b""
            case CrlFile.GARBAGE:
                return b"this is not a list\n"
            case CrlFile.ALL_AND_ROOT:
                return everyone() + self.root.certificate_pem
            case CrlFile.DELTA_ONLY:
                return everyone(extensions=_DELTA)
            case CrlFile.ALL_AND_DELTA:
                return everyone() + nearest.crl([self.leaf], extensions=_DELTA)
            case CrlFile.EMPTY_POINT_ONLY:
                return everyone(extensions=_EMPTY_POINT)
            case CrlFile.ALL_AND_EMPTY_POINT:
                return everyone() + nearest.crl([self.leaf], extensions=_EMPTY_POINT)

    def _namesake(self, *, ski: bool = True) -> Authority:
        return Authority.root("Example root", key=self.server.root.key, fresh=True, ski=ski)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _on_one_line(pem: bytes) -> bytes:
    lines = pem.splitlines()
    return lines[0] + b"\n" + b"".join(lines[1:-1]) + b"\n" + lines[-1] + b"\n"


def _pem_of(der: bytes) -> bytes:
    dashes = b"-----"
    return b"\n".join(
        [
            dashes + b"BEGIN CERTIFICATE" + dashes,
            base64.b64encode(der),
            dashes + b"END CERTIFICATE" + dashes,
            b"",
        ]
    )


def _old_key(authority: Authority) -> bytes:
    return authority.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )


# ---- strategies


def _mostly(usual: object, *others: object) -> st.SearchStrategy[object]:
    """The usual value three times out of four."""
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), st.sampled_from(others))


_DNS_NAMES: tuple[str | bytes, ...] = (
    HOST,
    "*.example.com",
    "other.example.com",
    "DB.Example.COM",
    f"{HOST}.",
    "*.com",
    "*",
    "*.",
    "d*.example.com",
    "*.*.example.com",
    "*.db.example.com",
    "localhost",
    "127.0.0.1",
    "::1",
    "",
    ".example.com",
    "db_1.example.com",
    "xn--bcher-kva.example.com",
    "bücher.example.com",
    f"{HOST}\0.evil.example".encode(),
    b"\0",
    b"\xff\xfe.example.com",
)
_IPS: tuple[str | bytes, ...] = (
    "127.0.0.1",
    "10.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "2001:db8::1",
    b"",
    b"\x7f\x00\x00\x01\xff\xff\xff\xff",
    b"12345",
)
_CNS = (HOST, "*.example.com", "other", "127.0.0.1", "Example server", f"{HOST}.", "::1")
HOSTS = (
    HOST,
    "other.example.com",
    "DB.EXAMPLE.com",
    f"{HOST}.",
    "example.com",
    "a.db.example.com",
    ".example.com",
    "..example.com",
    "a..example.com",
    "*.example.com",
    "localhost",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "2130706433",
    "127.0.0.1 ",
    "127.0.0.1.",
    "127.0.0.256",
    "10.0.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "[::1]",
    "::1%lo",
    "::ffff:127.0.0.1",
    "2001:DB8::1",
    "db_1.example.com",
    "bücher.example.com",
    "xn--bcher-kva.example.com",
    "a",
    "x" * 64 + ".example.com",
    "x" * 300,
)

_ca_like = st.builds(
    Ca,
    key=_mostly(Key.EC_P256, *Key),
    dates=_mostly(Dates.NOW, *Dates),
    basic_constraints=_mostly(BasicConstraints.CRITICAL, *BasicConstraints),
    path_length=_mostly(None, 0, 1),
    key_usage=_mostly(True, False),
    key_ids=_mostly(True, False),
    version=_mostly(3, 1),
    digest=_mostly(None, "sha384", "sha1"),
    name_constraint=_mostly(None, "+example.com", "-example.com", "+org", "+10.0.0.0/8"),
    odd=_mostly(None, *ODD_EXTENSIONS),
)
_names = st.one_of(
    st.builds(
        Names,
        dns=st.lists(st.sampled_from(_DNS_NAMES), max_size=3).map(tuple),
        ips=st.one_of(st.just(()), st.lists(st.sampled_from(_IPS), max_size=2).map(tuple)),
        cn=st.one_of(
            st.none(),
            st.sampled_from(_CNS),
            st.lists(st.sampled_from(_CNS), min_size=2, max_size=2).map(tuple),
        ),
    ),
    st.builds(Names, other=_mostly(None, *ODD_NAMES)),
)
servers = st.builds(
    Server,
    issuer=st.sampled_from(Issuer),
    root=st.one_of(st.just(Ca()), st.just(Ca()), _ca_like),
    intermediate=st.one_of(st.just(Ca()), st.just(Ca()), _ca_like),
    names=st.one_of(st.just(Names()), _names, _names),
    key=_mostly(Key.EC_P256, *Key),
    dates=_mostly(Dates.NOW, *Dates),
    usage=_mostly((SERVER_AUTH,), (), (CLIENT_AUTH,), (SERVER_AUTH, CLIENT_AUTH), (_ANY_USAGE,)),
    basic_constraints=_mostly(BasicConstraints.CRITICAL, *BasicConstraints),
    key_usage=_mostly(True, False),
    key_ids=_mostly(True, False),
    version=_mostly(3, 1),
    digest=_mostly(None, "sha384", "sha1"),
    pss=_mostly(False, True),
    unknown_critical=_mostly(False, False, False, True),
    served=_mostly(Served.FULL, *Served),
)
clients = st.builds(
    Client,
    ca=st.one_of(st.just(CaFile.ROOT), st.just(CaFile.ROOT), st.sampled_from(CaFile)),
    host=st.one_of(st.just(HOST), st.sampled_from(HOSTS), st.sampled_from(HOSTS)),
    crl=_mostly(CrlFile.MISSING, *CrlFile),
    min_tls=_mostly(None, "1.0", "1.1", "1.2", "1.3"),
    max_tls=_mostly(None, "1.1", "1.2", "1.3"),
)
