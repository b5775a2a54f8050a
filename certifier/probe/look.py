"""Looking: the connections of one probe, in order, and the report made of them."""

import contextlib
import hashlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial

from certifier.certificate import CertificateFacts, certificate_facts, certificates_in, hostname
from certifier.certificate.reading import Certificate
from certifier.evidence import (
    Address,
    Evidence,
    LoginFacts,
    OlderClientFacts,
    PlaintextFacts,
    ProbeReport,
    Timings,
    TlsFacts,
)
from certifier.probe import ca_file, judge
from certifier.probe.bounds import Allowance
from certifier.probe.client import (
    NEWEST,
    OLDEST,
    ClientContext,
    Offer,
    TrustUnusable,
    client_context,
    server_name,
    short_date,
)
from certifier.probe.dial import (
    AddressInfo,
    NoneConnected,
    Resolve,
    check_request,
    connect,
    connection_lost,
    find_addresses,
    request_tls,
    system_resolver,
)
from certifier.probe.failure import Clock, Deadline, StageFailed, contained
from certifier.probe.library import library
from certifier.probe.request import ProbeRequest
from certifier.probe.seen import Observations, OlderSeen
from certifier.probe.tls import ChainUnreadable, TlsConnection
from certifier.redactor import SECRET_LIMIT, Redactor
from certifier.text import printable
from certifier.vocabulary import Cause, SslMode, Stage

CHAIN_SHOWN = 20
_BUNDLE_READ = 500
_NAMES_KEPT = 200
_NAMESAKES = 20
_NAME_LIMIT = 300
_ALERT_WAIT = 0.02
_ASIDE = 2.0  # seconds for a look that only explains a failure
_PERHAPS_FOR_ALPN = frozenset(
    {Cause.TLS_ALERT, Cause.TLS_FAILED, Cause.TLS_NO_SHARED_CIPHER, Cause.CONNECTION_RESET}
)
_PERHAPS_DIRECT_TLS = frozenset({Cause.CONNECTION_RESET, Cause.NOT_POSTGRESQL})
_NO_NAMES = hostname.HostNames((), None)
_UNEXPECTED = "what the server sent could not be read"
_UNREADABLE = "the certificates that the server sent could not be read"


def probe(
    request: ProbeRequest,
    *,
    resolve: Resolve = system_resolver,
    clock: Clock = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ProbeReport:
    """Look at a host and say what libpq would say. Never raises for what a server or network does.

    `resolve` is called like ``socket.getaddrinfo(host, port, type=...)``. Certificates are verified
    by OpenSSL, which has a clock of its own: `now` dates the findings only.
    """
    if request.user is not None:
        # pg8000 is a third of a cold start: whoever only reads reports, or stops after TLS, does
        # not pay for it. Here, so that the clock has not started.
        import certifier.probe.plaintext  # noqa: F401, PLC0415
    held: list[str] = []
    request = replace(request, password=_holding(request.password, held))
    report = _Look(request, resolve, Deadline.after(request.timeout, clock)).report(now())
    # The one edge where texts leave: a server may say what we have sent, or has looked up.
    return Redactor(*held).model(report)


def _holding(password: Callable[[], str] | None, held: list[str]) -> Callable[[], str] | None:
    """Return the same callable, which leaves what it gave in ``held``; nothing too long to hide."""
    if password is None:
        return None

    def give() -> str:
        given = password()
        if len(given) > SECRET_LIMIT:
            raise StageFailed(
                Stage.LOGIN,
                Cause.PASSWORD_UNUSABLE,
                f"the password is longer than {SECRET_LIMIT:,} characters; it was not sent",
                remedy=f"Give the role a password of at most {SECRET_LIMIT:,} characters.",
            )
        held.append(given)
        return given

    return give


@dataclass
class _Look:
    """One probe under way; what it has seen so far."""

    request: ProbeRequest
    resolve: Resolve
    deadline: Deadline
    allowance: Allowance = field(default_factory=Allowance)
    offer: Offer = NEWEST
    accepted: bool = False
    seen: Observations = field(default_factory=Observations)
    problems: list[StageFailed] = field(default_factory=list)
    addresses: tuple[Address, ...] = ()
    peer: AddressInfo | None = None
    connections: int = 0
    reached: Stage = Stage.ADDRESS
    timings: dict[str, float] = field(default_factory=dict)
    tls: TlsFacts | None = None
    chain: list[bytes] = field(default_factory=list)
    chain_complete: bool = True
    path: list[bytes] = field(default_factory=list)
    anchor_facts: CertificateFacts | None = None
    login: LoginFacts | None = None
    plaintext: PlaintextFacts | None = None

    def report(self, now: datetime) -> ProbeReport:
        begin = self.deadline.clock()
        try:
            with contained(lambda: self.reached, Cause.PROTOCOL_VIOLATION, _UNEXPECTED):
                infos = self._find()
                if self.request.ssl_mode is SslMode.NONE or self.request.probe_plaintext:
                    self._ask_without_tls(infos)
                self._look(infos)
                if self.request.older_clients:
                    self._look_as_older(infos)
        except StageFailed as failure:
            self.seen = replace(self.seen, unreached=failure)
            self.reached = failure.stage
            if isinstance(failure, NoneConnected):
                self.addresses = failure.addresses
        self.timings["total"] = self.deadline.clock() - begin
        try:
            with contained(lambda: Stage.TLS, Cause.CERTIFICATE_UNREADABLE, _UNREADABLE):
                self._read_certificates()
                return self._assembled(now)
        except StageFailed as failure:
            self.seen = Observations(unreached=failure)
            self.chain, self.path, self.anchor_facts = [], [], None
            return self._assembled(now)

    # ---- the connections

    def _find(self) -> list[AddressInfo]:
        check_request(self.request)
        self.reached = Stage.DNS
        with self._timed("dns"):
            infos = list(
                find_addresses(self.request, self.resolve, self.deadline, lambda: self._client)
            )
        self.addresses = tuple(Address(ip=info[4][0], outcome="not_tried") for info in infos)
        return infos

    def _look(self, infos: list[AddressInfo]) -> None:
        """As libpq 17 and newer do; if that fails for what older ones do not offer, as those do."""
        try:
            self._look_as(infos, lambda: self._client)
        except StageFailed as failure:
            self._try_other_tls(infos, failure)
            if not self._may_be_for_alpn(failure):
                raise
            self.offer = Offer(alpn=False)
            try:
                self._look_as(infos, self._client_offering_less)
            except StageFailed:
                raise failure from None
            self.seen = replace(self.seen, alpn_refused=failure)

    def _may_be_for_alpn(self, failure: StageFailed) -> bool:
        """Whether a handshake failed in a way in which a refusal of the name may look."""
        return (
            self.request.negotiation == "postgres"
            and failure.stage is Stage.TLS
            and not self.accepted
            and failure.cause in _PERHAPS_FOR_ALPN
        )

    def _look_as(self, infos: list[AddressInfo], make_client: Callable[[], ClientContext]) -> None:
        with contextlib.ExitStack() as stack:
            try:
                tls = stack.enter_context(self._shaken(self._known(infos), make_client))
            except StageFailed as failure:
                if failure.verify_code is None:
                    raise
                self.seen = replace(self.seen, chain_failure=failure)
                stack.close()
                self._look_again(infos)
                return
            self._capture(tls)
            if self._acceptable():
                self._go_on(tls)

    @cached_property
    def _client(self) -> ClientContext:
        """The context of the first look, made while something else is waited for."""
        if not self.request.verifies:
            return client_context(self.request, verify=False)
        try:
            client = client_context(self.request, verify=True)
        except TrustUnusable as problem:
            self.seen = replace(self.seen, trust_problem=problem.raw)
            return client_context(self.request, verify=False)
        self.seen = replace(self.seen, crl_problem=client.crl_problem)
        return client

    def _client_offering_less(self) -> ClientContext:
        verify = self.request.verifies and self.seen.trust_problem is None
        return client_context(self.request, verify=verify, offer=self.offer)

    def _known(self, infos: list[AddressInfo]) -> list[AddressInfo]:
        """The address that answered before, or all."""
        return [info for info in infos if self.peer is None or info[4] == self.peer[4]]

    def _look_again(self, infos: list[AddressInfo]) -> None:
        """Without verification, for the evidence alone: at the address that answered before."""
        make = partial(client_context, self.request, verify=False, offer=self.offer)
        try:
            with self._shaken(self._known(infos), make) as tls:
                self._capture(tls)
        except ChainUnreadable:
            raise
        except StageFailed as failure:
            self.seen = replace(self.seen, unverified_failure=failure)

    # ---- as others would look

    def _try_other_tls(self, infos: list[AddressInfo], failure: StageFailed) -> None:
        """Where TLS failed as it does with what speaks another: try that.

        Raises StageFailed for what wants TLS from the first byte on.
        """
        if failure.cause is Cause.TLS_NO_SHARED_PROTOCOL and self.request.min_tls is None:
            old = replace(OLDEST, old_tls=True)
            self.seen = replace(self.seen, old_tls=self._tls_version(infos, old))
        if failure.stage is not Stage.SSL_REQUEST or failure.cause not in _PERHAPS_DIRECT_TLS:
            return
        version = self._tls_version(infos, NEWEST, direct=True)
        if version is not None:
            raise StageFailed(
                failure.stage,
                Cause.DIRECT_TLS_ONLY,
                f"{failure.seen}; but what answers there speaks {version} from the first byte,"
                " which DMS does not",
                raw=failure.raw,
                libpq=failure.libpq,
            ) from None

    def _tls_version(
        self, infos: list[AddressInfo], offer: Offer, *, direct: bool = False
    ) -> str | None:
        """The version of TLS that a client with this offer is given soon; None if it is not."""
        reached, deadline = self.reached, self.deadline
        self.deadline = deadline.within(_ASIDE)
        make = partial(client_context, self.request, verify=False, offer=offer)
        try:
            with self._shaken(self._known(infos), make, direct=direct) as tls:
                return tls.version()
        except StageFailed:
            return None
        finally:
            self.reached, self.deadline = reached, deadline

    def _look_as_older(self, infos: list[AddressInfo]) -> None:
        """Without a server name: whether an older client sees the same certificate."""
        if server_name(self.request.host) is None or self.tls is None:
            return
        older = self._older(infos, verify=False)
        if self.seen.verified and older.leaf not in (None, self.seen.leaf):
            older = replace(older, failure=self._older(infos, verify=True).failure)
        self.seen = replace(self.seen, older=older)

    def _older(self, infos: list[AddressInfo], *, verify: bool) -> OlderSeen:
        make = partial(client_context, self.request, verify=verify, offer=OLDEST)
        try:
            with self._shaken(self._known(infos), make) as tls:
                leaf = tls.leaf()
                names = hostname.names_of(leaf) if leaf else _NO_NAMES
                return OlderSeen(leaf, names, hostname.match(names, self.request.host))
        except StageFailed as failure:
            return OlderSeen(failure=failure)

    @contextlib.contextmanager
    def _shaken(
        self,
        infos: list[AddressInfo],
        make_client: Callable[[], ClientContext],
        *,
        direct: bool = False,
    ) -> Iterator[TlsConnection]:
        """A TLS connection, closed at the end; `direct`: without PostgreSQL's request for it."""
        with (
            self._dial(infos) as sock,
            TlsConnection(sock, self.deadline, self.allowance) as tls,
        ):
            with self._timed("tls"):
                if direct or self.request.negotiation == "direct":
                    client = make_client()
                else:
                    self.reached = Stage.SSL_REQUEST
                    client = request_tls(sock, self.deadline, self.allowance, make_client)
                self.reached = Stage.TLS
                try:
                    tls.handshake(client)
                finally:
                    self.accepted = tls.accepted
            yield tls

    def _dial(self, infos: list[AddressInfo]) -> socket.socket:
        self.reached = Stage.TCP
        self.connections += 1
        first = self.peer is None
        with self._timed("tcp"):
            sock, outcomes = connect(infos, self.deadline)
        if first:
            self.addresses = outcomes
            self.peer = next(
                info
                for info, outcome in zip(infos, outcomes, strict=True)
                if outcome.outcome == "connected"
            )
        return sock

    def _capture(self, tls: TlsConnection) -> None:
        if self.request.negotiation == "direct" and tls.alpn() is None:
            raise StageFailed(
                Stage.TLS,
                Cause.TLS_FAILED,
                "the server did not select PostgreSQL's protocol (ALPN), which direct TLS needs",
                libpq="direct SSL connection was established without ALPN protocol negotiation"
                " extension",
            )
        name, version, bits = tls.cipher()
        self.tls = TlsFacts(
            version=tls.version() or version,
            cipher=name,
            bits=bits or 0,
            alpn=tls.alpn(),
            verified=tls.verified,
        )
        self.chain, self.chain_complete = tls.served_chain()
        with contained(lambda: Stage.TLS, Cause.CERTIFICATE_UNREADABLE, _UNREADABLE):
            for der in self.chain:
                if complaint := short_date(der):
                    raise ChainUnreadable(complaint)
            names = hostname.names_of(self.chain[0]) if self.chain else _NO_NAMES
        self.seen = replace(
            self.seen,
            verified=tls.verified,
            leaf=self.chain[0] if self.chain else None,
            names=names,
            match=hostname.match(names, self.request.host),
        )
        if tls.verified:
            self.path = tls.verified_chain()

    def _acceptable(self) -> bool:
        """Whether libpq would go on to the login in the mode that was asked for."""
        if self.seen.trust_problem is not None:
            return False
        if self.request.system_trust and self.request.ssl_mode is not SslMode.VERIFY_FULL:
            return False
        match self.request.ssl_mode:
            case SslMode.VERIFY_FULL:
                return self._verified_in_full()
            case SslMode.VERIFY_CA:
                return self.seen.verified
            case SslMode.REQUIRE | SslMode.NONE:
                return True

    def _verified_in_full(self) -> bool:
        return self.seen.verified and self.seen.match is not None and self.seen.match.matched

    def _go_on(self, tls: TlsConnection) -> None:
        if self.request.ssl_mode is SslMode.NONE:
            return
        if self.request.user is None:
            self._await_alert(tls)
            return
        from certifier.probe.login import log_in  # noqa: PLC0415
        from certifier.probe.messages import Progress  # noqa: PLC0415

        progress = Progress()
        self.reached = Stage.STARTUP
        begin = self.deadline.clock()
        try:
            done = log_in(
                self.request,
                tls,
                progress,
                verified=self._verified_in_full(),
                meanwhile=self._read_certificates,
            )
        except StageFailed as failure:
            self._not_logged_in(failure)
            self.login = progress.facts()
            self.reached = failure.stage
            self.timings["login"] = self.deadline.clock() - begin
            return
        self.login = done.facts
        self.reached = Stage.QUERY
        self.timings |= {"login": done.login_seconds, "query": done.query_seconds}

    def _await_alert(self, tls: TlsConnection) -> None:
        """In TLS 1.3 a server asks for a client certificate, and complains, after we are done."""
        if tls.version() != "TLSv1.3":
            return
        # As long as all of TLS took, which tells how far away and how busy the server is.
        tls.deadline = self.deadline.within(_ALERT_WAIT + self.timings["tls"])
        try:
            if tls.receive(1, Stage.STARTUP) == b"":
                self.problems.append(connection_lost(None, Stage.STARTUP))
        except StageFailed as failure:
            if failure.cause is not Cause.CONNECTION_TIMEOUT:
                self._not_logged_in(failure)

    def _not_logged_in(self, failure: StageFailed) -> None:
        """An alert in place of the first answer still belongs to the handshake of TLS 1.3."""
        if failure.stage is Stage.STARTUP and (failure.libpq or "").startswith("SSL error"):
            self.seen = replace(self.seen, turned_away=failure)
        else:
            self.problems.append(failure)

    def _ask_without_tls(self, infos: list[AddressInfo]) -> None:
        if self.request.user is None:
            return
        from certifier.probe.plaintext import ask_without_tls, unsafe_request  # noqa: PLC0415

        sock = self._dial(infos)
        with sock:
            try:
                self.plaintext = ask_without_tls(self.request, sock, self.deadline, self.allowance)
                if self.request.ssl_mode is SslMode.NONE:
                    self.problems += unsafe_request(self.plaintext)
            except StageFailed as failure:
                self.plaintext = PlaintextFacts(accepted=False, seen=failure.seen)
                if self.request.ssl_mode is SslMode.NONE:
                    self.problems.append(failure)

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = self.deadline.clock()
        try:
            yield
        finally:
            self.timings.setdefault(name, self.deadline.clock() - begin)

    # ---- the report

    def _read_certificates(self) -> None:
        """Read what was served, once: while the server thinks, or at the end."""
        if self.seen.chain:
            return
        bundle: tuple[bytes, ...] = ()
        if self.seen.chain_failure is not None:  # it is read only to explain a failure
            bundle = certificates_in(self.request.ca_bundle or b"")[:_BUNDLE_READ]
        read = cache(certificate_facts)  # the path is made of what was served, for the most part
        path = tuple(read(der) for der in self.path)
        self.seen = replace(
            self.seen,
            chain=tuple(read(der) for der in self.chain[:CHAIN_SHOWN]),
            bundle=tuple(read(der) for der in bundle),
            path=path[:-1] or path,
        )
        if bundle and self.seen.chain:
            self.seen = replace(self.seen, namesake=self._namesake(bundle))
        self.anchor_facts = path[-1] if path else None

    def _namesake(self, bundle: tuple[bytes, ...]) -> bool | None:
        """Whether a CA of the file with the name of the missing issuer signed the chain's end.

        True also where that cannot be checked.
        """
        end = judge.top(self.seen.chain)
        named = [
            der
            for der, facts in zip(bundle, self.seen.bundle, strict=True)
            if facts.subject == end.issuer
        ]
        if not named:
            return None
        signed = Certificate(self.chain[self.seen.chain.index(end)])
        checked = [signed.signed_by(Certificate(der)) for der in named[:_NAMESAKES]]
        return any(one is not False for one in checked)

    def _evidence(self, now: datetime) -> Evidence:
        anchor, chain = self.anchor_facts, self.seen.chain
        leaf = chain[0].sha256 if chain else None
        intended = self.request.intended_leaf_sha256
        return Evidence(
            host=printable(self.request.host),
            port=self.request.port,
            addresses=self.addresses,
            peer=self.peer[4][0] if self.peer else None,
            connections=self.connections,
            reached=self.reached,
            server_name=server_name(self.request.host),
            tls=self.tls,
            chain=chain,
            chain_length=len(self.chain),
            chain_complete=self.chain_complete,
            anchor=anchor,
            names=_spelled(self.seen.names),
            leaf_sha256=leaf,
            served_intended=leaf == intended.lower() if leaf and intended else None,
            days_left=_days_left((*self.seen.walked, *([anchor] if anchor else [])), now),
            login=self.login,
            plaintext=self.plaintext,
            openssl=library(self.request),
            older_client=self._older_client(),
            timings=Timings(**{k: round(v * 1000, 3) for k, v in self.timings.items()}),
        )

    def _older_client(self) -> OlderClientFacts | None:
        older = self.seen.older
        if older is None:
            return None
        return OlderClientFacts(
            leaf_sha256=hashlib.sha256(older.leaf).hexdigest() if older.leaf else None,
            names=_spelled(older.names),
        )

    def _assembled(self, now: datetime) -> ProbeReport:
        if self.seen.trust_problem is not None:
            content, step = ca_file.what_it_is(self.request.ca_bundle or b"", now)
            self.seen = replace(self.seen, trust_content=content, trust_step=step)
        verdicts = judge.verdicts(self.request, self.seen, now)
        evidence = self._evidence(now)
        problems = judge.of_problems(self.problems)
        passed = judge.passes(self.request, self.seen, verdicts, evidence, problems)
        return ProbeReport(
            verdict="pass" if passed else "fail",
            ssl_mode=self.request.ssl_mode,
            verdicts=verdicts,
            findings=judge.findings(
                self.request, self.seen, verdicts, evidence, problems=problems, now=now
            ),
            evidence=evidence,
        )


def _spelled(names: hostname.HostNames | None) -> tuple[str, ...]:
    spelled = names.spelled() if names else ()
    return tuple(printable(name, _NAME_LIMIT) for name in spelled[:_NAMES_KEPT])


def _days_left(chain: Iterable[CertificateFacts], now: datetime) -> int | None:
    ends = [facts.not_after for facts in chain if facts.not_after is not None]
    return (min(ends) - now).days if ends else None
