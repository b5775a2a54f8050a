"""The intake: any material in, a sound import or every reason why not.

What people hand over is repaired where that is safe, with an advice for each repair: a full chain
in any order, duplicates, a root where none belongs, unrelated certificates, several keys of which
one fits. The rest is refused, with every reason at once. What the intake lets pass is written anew
in canonical PEM; nothing of the text around blocks survives.

Not checked here: revocation, name constraints, and what the server really serves. The probe does
that.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from certifier.certificate import hostname
from certifier.certificate.acm import unsuitable
from certifier.certificate.bundle import Bundle, trust_bundle
from certifier.certificate.canonical import to_pem
from certifier.certificate.chain import TOO_MUCH, End, Graph, Path, in_order
from certifier.certificate.facts import CertificateFacts, facts_of
from certifier.certificate.field import Field, read_field
from certifier.certificate.identify import SSH_KEY
from certifier.certificate.keys import KeyProblem, PrivateKey, load_private_key
from certifier.certificate.pem import MAX_BLOCKS
from certifier.certificate.policy import policy_findings
from certifier.certificate.reading import Certificate
from certifier.diagnosis import explain, finding
from certifier.diagnosis.catalogue import MAKE_A_CA, NO_CA
from certifier.models import Finding, Policy, errors_first, errors_in
from certifier.text import brief, instant, listed
from certifier.vocabulary import Cause, Severity, SslMode, Witness

MAX_KEYS: Final = 8
_SHOWN: Final = 5  # names in one sentence


@dataclass(frozen=True)
class Intake:
    """What the material is good for. Use the rest only when ``accepted``.

    Attributes:
        accepted: no finding is an error.
        findings: errors, then warnings, then repairs, each in the order in which they were met.
        leaf_pem, leaf_sha256: the server certificate; ``None`` without one.
        chain_pem: the intermediates above it, nearest first; without leaf and root, as ACM wants
            it.
        private_key: fits the leaf; shows itself to nobody.
        key_kind: of the leaf, in ACM's words.
        ca: what can be used of the CA bundle; ``ca_pem`` and ``ca_digest`` are its canonical text
            and its digest.
        given: every certificate that was handed over, each once; of the bundle, the usable ones.
        chain: the leaf and what it was verified with, up to the root when that is known.
    """

    accepted: bool
    findings: tuple[Finding, ...]
    leaf_pem: bytes | None = None
    leaf_sha256: str | None = None
    chain_pem: bytes = b""
    private_key: PrivateKey | None = None
    key_kind: str | None = None
    ca: Bundle | None = None
    given: tuple[Certificate, ...] = ()
    chain: tuple[CertificateFacts, ...] = ()

    @property
    def certificates(self) -> tuple[CertificateFacts, ...]:
        """The facts of all that was given."""
        return tuple(facts_of(certificate) for certificate in self.given)

    @property
    def ca_pem(self) -> bytes:
        """The usable CAs in canonical PEM; empty without any."""
        return b"" if self.ca is None else self.ca.pem.encode("ascii")

    @property
    def ca_digest(self) -> str | None:
        """The digest of ``ca_pem``; ``None`` when no bundle was given."""
        return None if self.ca is None else self.ca.digest


def check_material(
    *,
    certificate: bytes | None,
    private_key: bytes | None,
    chain: bytes | None,
    ca: bytes | None,
    host: str | None,
    ssl_mode: SslMode,
    now: datetime,
    policy: Policy,
    place: Witness = Witness.INTAKE,
) -> Intake:
    """Read, repair and judge the material of one source. Never raises for what the material is.

    Each of the first four is PEM, or what people take for it; ``None`` means that it was not given.
    Names that do not cover ``host`` are an error under ``verify-full`` alone; a chain that does not
    end in ``ca`` is an error under both verifying modes and a warning under the others. ``now``
    needs a time zone.
    """
    bundle = None if ca is None else trust_bundle(ca, now, place=place)
    work = _Intake(
        server=read_field("certificate", certificate, place),
        chain=read_field("chain", chain, place),
        key=read_field("private key", private_key, place),
        bundle=bundle,
        host=host,
        ssl_mode=ssl_mode,
        now=now,
        policy=policy,
        place=place,
    )
    return work.done()


@dataclass
class _Intake:
    """The work of one intake: findings are collected on the way, and judged at the end."""

    server: Field
    chain: Field
    key: Field
    bundle: Bundle | None
    host: str | None
    ssl_mode: SslMode
    now: datetime
    policy: Policy
    place: Witness
    findings: list[Finding] = field(default_factory=list)

    def say(
        self,
        cause: Cause,
        seen: str,
        severity: Severity | None = None,
        remedy: str | None = None,
    ) -> None:
        self.findings.append(
            finding(cause, place=self.place, seen=seen, severity=severity, remedy=remedy)
        )

    def done(self) -> Intake:
        for one in self._fields:
            self.findings += one.findings
        given = tuple(certificate for one in self._fields for certificate in one.given)
        if len(given) > MAX_BLOCKS:
            self.say(
                Cause.MATERIAL_TOO_LARGE,
                f"{len(given)} certificates were given, at most {MAX_BLOCKS} are read",
            )
            given = given[:MAX_BLOCKS]
        pool = tuple(dict.fromkeys(given))
        trusted = self.bundle.certificates if self.bundle else ()
        graph = Graph((*pool, *trusted))
        leaf, key = self._leaf_and_key(pool, self._keys(), graph)
        result: dict[str, Any] = {}
        if leaf is not None:
            path = graph.path(leaf, self._anchors(graph), self.now)
            chain = _chain(path)
            leaf_pem, chain_pem = _pem((leaf,)), _pem(chain)
            self._judge(leaf, path, graph)
            for reason in unsuitable(leaf, leaf_pem, chain_pem, key):
                self.say(Cause.ACM_UNSUITABLE, reason)
            self._repairs(leaf, path, given, chain)
            result = {
                "leaf_pem": leaf_pem,
                "leaf_sha256": leaf.sha256,
                "chain_pem": chain_pem,
                "private_key": key,
                "key_kind": leaf.key_kind.name if leaf.key_kind else None,
                "chain": tuple(facts_of(one) for one in path.certificates),
            }
        for one in self._fields:
            self.findings += one.ignored_findings(self.place)
        if graph.exhausted:
            self.say(Cause.MATERIAL_TOO_LARGE, TOO_MUCH)
        if self.bundle is not None:
            self.findings += self.bundle.findings
        findings = errors_first(self.findings)
        return Intake(
            accepted=not errors_in(findings),
            findings=findings,
            ca=self.bundle,
            given=tuple(dict.fromkeys((*pool, *trusted))),
            **result,
        )

    def _anchors(self, graph: Graph) -> frozenset[Certificate]:
        trusted = self.bundle.certificates if self.bundle else ()
        return frozenset(one for one in trusted if graph.self_signed(one))

    # ---- key and leaf

    @property
    def _fields(self) -> tuple[Field, ...]:
        return self.server, self.chain, self.key

    def _keys(self) -> list[PrivateKey]:
        """Load every key, each once, and report what is wrong with those that cannot be used."""
        loaded: dict[str, PrivateKey] = {}
        ders = tuple(dict.fromkeys(der for one in self._fields for der in one.private_keys))
        if len(ders) > MAX_KEYS:
            self.say(
                Cause.MATERIAL_TOO_LARGE,
                f"{len(ders)} private keys were given, at most {MAX_KEYS} are read",
            )
        for der in ders[:MAX_KEYS]:
            match load_private_key(der):
                case PrivateKey() as key:
                    loaded.setdefault(key.kind.identity, key)
                case KeyProblem() as problem:
                    self.say(problem.cause, f"the private key {problem.seen}")
        return list(loaded.values())

    def _leaf_and_key(
        self, pool: tuple[Certificate, ...], keys: list[PrivateKey], graph: Graph
    ) -> tuple[Certificate | None, PrivateKey | None]:
        by_identity = {key.kind.identity: key for key in keys}
        fitting = tuple(c for c in pool if c.key_kind and c.key_kind.identity in by_identity)
        self._missing(pool, keys, fits=bool(fitting))
        leaf = self._leaf(fitting or pool, graph, fits=bool(fitting))
        if leaf is None or leaf.key_kind is None:
            return leaf, None
        key = by_identity.get(leaf.key_kind.identity)
        if key is None:
            if keys:
                kinds = ", ".join(sorted({one.kind.name for one in keys}))
                self.say(
                    Cause.KEY_MISMATCH,
                    f"the private key ({kinds}) does not belong to {leaf.title}"
                    f" ({leaf.key_kind.name})",
                )
            return leaf, None
        if len(keys) > 1:
            self.repaired(f"of {len(keys)} private keys, the one of {leaf.title} was taken")
        if not self.key.private_keys:
            self.repaired("the private key was found beside the certificate")
        return leaf, key

    def _missing(
        self, pool: tuple[Certificate, ...], keys: list[PrivateKey], *, fits: bool
    ) -> None:
        """Say that certificate or key are missing, unless something is wrong in their place."""
        handed_over = any(one.present for one in self._fields)
        if not pool and handed_over and not errors_in(self.server.findings):
            self.say(
                Cause.NO_CERTIFICATE,
                f"no certificate was given{self.server.held_instead()}",
                remedy=self.server.step_instead(),
            )
        if any(one.encrypted_keys for one in self._fields):
            if not fits:
                self.say(Cause.KEY_ENCRYPTED, "the private key is encrypted; supply it decrypted")
        elif self.key.present and not keys and not self._key_has_problem():
            self.say(
                Cause.NO_PRIVATE_KEY,
                f"no private key was given{self.key.held_instead()}",
                remedy=self._step_to_the_key(),
            )

    def _step_to_the_key(self) -> str | None:
        """``ssh-keygen`` helps where there is a key in another form; else there is none."""
        return SSH_KEY.step if SSH_KEY in self.key.instead else None

    def _key_has_problem(self) -> bool:
        return bool(self.key.private_keys or errors_in(self.key.findings))

    def _leaf(
        self, candidates: tuple[Certificate, ...], graph: Graph, *, fits: bool
    ) -> Certificate | None:
        """Return the server's certificate: what is left when every other has a reason against it.

        Nothing here depends on the order in which certificates were given.
        """
        left = list(candidates)
        for reason in self._reasons(candidates, graph):
            if len(left) < 2:
                break
            left = [certificate for certificate in left if reason(certificate)] or left
        if not left:
            return None
        if len(left) > 1:
            several_keys = len({one.key_kind.identity for one in left if one.key_kind}) > 1
            self.say(
                Cause.KEY_AMBIGUOUS if fits and several_keys else Cause.LEAF_AMBIGUOUS,
                f"{len(left)} certificates could be the server's: {_titles(left)}"
                "; hand over the right one alone, or the private key of it alone",
            )
            return None
        if not fits and _is_mere_authority(left[0]):
            self.say(
                Cause.NO_CERTIFICATE,
                f"only certificates of authorities were given ({_titles(candidates)});"
                " the server's own is missing",
            )
            return None
        return left[0]

    def _reasons(
        self, candidates: tuple[Certificate, ...], graph: Graph
    ) -> Iterator[Callable[[Certificate], bool]]:
        yield lambda certificate: not certificate.is_ca
        above = {up for one in candidates for up in graph.issuers(one) if up != one}
        yield lambda certificate: certificate not in above
        yield lambda certificate: certificate.valid_at(self.now)
        yield self.server.given.__contains__
        host = self.host
        if host is not None:
            yield (
                lambda certificate: hostname.match(hostname.names_of(certificate.der), host).matched
            )
        anchors = self._anchors(graph)
        yield lambda certificate: graph.path(certificate, anchors, self.now).end is End.ANCHOR

    # ---- judgement

    def _judge(self, leaf: Certificate, path: Path, graph: Graph) -> None:
        self._dates(leaf, "the certificate of")
        root_is_sent_by_nobody = path.end is End.SELF_SIGNED
        above = path.certificates[1:-1] if root_is_sent_by_nobody else path.certificates[1:]
        for certificate in above:
            self._dates(certificate, "the CA")
        weight = Severity.ERROR if self.ssl_mode.verifies else Severity.WARNING
        if not leaf.serves_tls:
            self.say(
                Cause.CERTIFICATE_WRONG_PURPOSE,
                f"the key usages of {leaf.title} do not allow it to serve TLS",
                weight,
            )
        for below, certificate in enumerate(above):
            self._may_sign(certificate, below, weight)
        self._trust(leaf, path, graph)
        self._host(leaf)
        self._binding(leaf)
        if leaf.unreadable:
            self.say(
                Cause.CERTIFICATE_REJECTED,
                f"parts of {leaf.title} cannot be read, so clients may refuse it:"
                f" {'; '.join(leaf.unreadable)}",
                Severity.WARNING,
            )
        chain = tuple(facts_of(certificate) for certificate in path.certificates)
        self.findings += policy_findings(chain, self.policy, self.now, self.place)

    def _dates(self, certificate: Certificate, what: str) -> None:
        begin, end = certificate.not_before, certificate.not_after
        if begin is None or end is None:
            self.say(
                Cause.CERTIFICATE_REJECTED, f"{what} {certificate.title} has no readable dates"
            )
        elif self.now.replace(microsecond=0) > end:
            self.say(
                Cause.CERTIFICATE_EXPIRED, f"{what} {certificate.title} expired on {instant(end)}"
            )
        elif self.now < begin:
            self.say(
                Cause.CERTIFICATE_NOT_YET_VALID,
                f"{what} {certificate.title} is valid from {instant(begin)} on",
            )

    def _may_sign(self, certificate: Certificate, below: int, weight: Severity) -> None:
        """``below``: how many other authorities stand between it and the leaf."""
        if not certificate.is_ca:
            self.say(
                Cause.CERTIFICATE_WRONG_PURPOSE,
                f"{certificate.title} has signed a certificate and {NO_CA}",
                weight,
                MAKE_A_CA,
            )
        elif not certificate.purposes_allow_tls:
            self.say(
                Cause.CERTIFICATE_WRONG_PURPOSE,
                f"{certificate.title} is not allowed to sign certificates of TLS servers",
                weight,
                "Make the CA anew without extendedKeyUsage, or with serverAuth in it, and sign the"
                " server's certificate with it.",
            )
        longest = certificate.path_length
        if longest is not None and below > longest:
            self.say(
                Cause.CERTIFICATE_REJECTED,
                f"{certificate.title} allows {longest} authorities below it; there are {below}",
                weight,
            )

    def _trust(self, leaf: Certificate, path: Path, graph: Graph) -> None:
        """Say what keeps the chain from ending in a CA that is trusted."""
        known = self.bundle is not None
        weight = Severity.ERROR if known and self.ssl_mode.verifies else Severity.WARNING
        pool = {certificate for one in self._fields for certificate in one.given}
        if path.end is End.ANCHOR:
            return
        if path.end is End.OPEN and self._signed_by_another(path.top, graph):
            return
        if self.bundle is not None and not self.bundle.anchors:
            return  # that has been said, and whatever the chain ends in is not trusted
        if path.end is End.SELF_SIGNED:
            self._trust_root(leaf, path.top, weight, known=known)
        elif path.top == leaf:
            broken = any(certificate.is_ca for certificate in pool if certificate != leaf)
            where = "neither in the chain nor in the CA bundle" if known else "not given"
            self.say(
                Cause.CHAIN_INCOMPLETE,
                f"the issuer of {leaf.title}, {leaf.issuer_title}, is {where}",
                Severity.ERROR if broken else weight,
            )
        elif known:
            self.say(
                Cause.UNKNOWN_AUTHORITY,
                f"the chain of {leaf.title} ends in {path.top.title}, whose issuer"
                f" {path.top.issuer_title} is not in the CA bundle{_other_key(path.top, graph)}",
                weight,
            )
        else:
            self.say(
                Cause.CHAIN_INCOMPLETE,
                f"the chain of {leaf.title} ends in {path.top.title}; its issuer"
                f" {path.top.issuer_title} was not given, so that signature could not be checked",
                Severity.ADVICE,
            )

    def _trust_root(
        self, leaf: Certificate, root: Certificate, weight: Severity, *, known: bool
    ) -> None:
        if root == leaf:
            more = " and is not in the CA bundle" if known else ""
            self.say(Cause.SELF_SIGNED, f"{leaf.title} signed itself{more}", weight)
        elif known:
            self.say(
                Cause.UNKNOWN_AUTHORITY,
                f"the chain of {leaf.title} ends in {root.title}, which is not in the CA bundle",
                weight,
            )

    def _signed_by_another(self, top: Certificate, graph: Graph) -> bool:
        """Say that what must be the issuer is there, and that its key made no such signature.

        Or that nobody knows, since its key is of a kind that cannot be read. A CA of the same name
        with another key identifier is merely another CA.
        """
        namesakes = graph.namesakes(top)
        if graph.issuers(top) or not namesakes:
            return False
        if any(one.key_kind is None for one in namesakes):
            self.say(
                Cause.KEY_UNSUPPORTED,
                f"the signature of {top.title} cannot be checked: the key of {top.issuer_title}"
                " is of a kind that is not supported",
            )
            return True
        self.say(
            Cause.SIGNATURE_INVALID,
            f"the signature of {top.title} was not made by the {top.issuer_title} that was given:"
            " one of the two is damaged, or another one has the same name",
        )
        return True

    def _host(self, leaf: Certificate) -> None:
        if self.host is None or self.ssl_mode is not SslMode.VERIFY_FULL:
            return
        names = hostname.names_of(leaf.der)
        verdict = hostname.match(names, self.host)
        spelled = names.spelled()
        shown = ", ".join(map(brief, spelled[:_SHOWN])) + (", ..." if len(spelled) > _SHOWN else "")
        if not verdict.matched:
            self.findings.append(
                finding(
                    Cause.HOSTNAME_MISMATCH,
                    place=self.place,
                    seen=f"{self.host} is not among the names of {leaf.title}:"
                    f" {shown or 'it has none'}",
                    raw=verdict.libpq,
                )
            )
        elif not verdict.older_libpq:
            self.say(
                Cause.HOSTNAME_READING_DIFFERS,
                f"libpq 14 and older do not find {self.host} in {shown}",
            )

    def _binding(self, leaf: Certificate) -> None:
        """Say that SCRAM cannot work with it: a client binds to the hash of the signature."""
        name, digest = leaf.signature or ("", "")
        if digest is not None or not name.startswith("Ed"):
            return
        self.findings.append(
            finding(
                Cause.AUTHENTICATION_UNSUPPORTED,
                place=self.place,
                seen=f"{leaf.title} is signed with {name}, which has no hash: no client can log in"
                " by SCRAM over TLS",
                severity=Severity.WARNING,
                remedy=explain("could not find digest for NID UNDEF").remedy,
            )
        )

    # ---- repairs

    def repaired(self, seen: str) -> None:
        self.say(Cause.CHAIN_REPAIRED, seen)

    def _repairs(
        self,
        leaf: Certificate,
        path: Path,
        given: Sequence[Certificate],
        chain: Sequence[Certificate],
    ) -> None:
        """Say what was done to make leaf and chain of what was given."""
        pool = tuple(dict.fromkeys(given))
        beside = len(set(self.server.given)) - 1
        if leaf not in self.server.given:
            self.repaired(f"{leaf.title} was found outside of the certificate, and taken as such")
        elif beside and not _as_servers_take_it(self.server.given, path):
            self.repaired(
                f"{leaf.title} was taken out of the {beside + 1} certificates in its place"
            )
        ordered = path.certificates if leaf in self.server.given else path.certificates[1:]
        if not in_order(pool, ordered):
            self.repaired(f"the chain was put in order: {_titles(path.certificates)}")
        full = _as_servers_take_it(self.server.given, path)
        repeats = full and self.chain.given == self.server.given[1:]  # certbot writes both
        if len(given) > len(pool) and not repeats:
            twice = tuple(one for one in pool if given.count(one) > 1)
            self.repaired(f"certificates given more than once were taken once: {_titles(twice)}")
        if path.end is not End.OPEN and len(path.certificates) > 1 and path.top in pool:
            self.repaired(f"the root {path.top.title} was left out of the chain")
        unrelated = tuple(one for one in pool if one not in path.certificates)
        if unrelated:
            self.repaired(f"left out, since the chain does without: {_titles(unrelated)}")
        added = tuple(one for one in chain if one not in pool)
        if added:
            self.repaired(f"taken from the CA bundle into the chain: {_titles(added)}")


def _chain(path: Path) -> tuple[Certificate, ...]:
    """Return what stands between leaf and root."""
    return path.certificates[1:] if path.end is End.OPEN else path.certificates[1:-1]


def _pem(certificates: Sequence[Certificate]) -> bytes:
    return "".join(to_pem(one.der) for one in certificates).encode("ascii")


def _as_servers_take_it(given: Sequence[Certificate], path: Path) -> bool:
    """Whether these are the leaf and then what leads up from it, each once: a full chain."""
    return tuple(given) == path.certificates[: len(given)]


def _is_mere_authority(certificate: Certificate) -> bool:
    """Whether it is a CA that somebody else signed and that names no server."""
    names = certificate.names
    return certificate.is_ca and not certificate.self_issued and not (names.dns or names.ips)


def _other_key(top: Certificate, graph: Graph) -> str:
    return "; a CA of that name is there, with another key" if graph.named(top) else ""


def _titles(certificates: Sequence[Certificate]) -> str:
    return listed([one.title for one in certificates], most=_SHOWN)
