"""A password leaves only on a connection that is verified in full, or bound to it by SCRAM."""

import hashlib
from collections.abc import Callable, Iterator

import pytest

from certifier.diagnosis import explain
from certifier.probe import AddressPolicy, LoginFacts, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, Severity, SslMode
from sandbox.pki import Authority, Key, Leaf
from sandbox.postgres import Access, Postgres
from tests.probe.fakes import (
    READY,
    Fake,
    Peer,
    ScramServer,
    Script,
    authentication,
    message,
    relay,
    scripted_login,
)
from tests.probe.reference import libpq_says

_HOST = "db.example.com"
_PASSWORD = "correct horse battery staple"
_ROOT = Authority.root("Example root")
_LEAF = _ROOT.issue(dns=[_HOST])
_OTHER_NAME = _ROOT.issue(dns=["evil.example.com"])
_STRANGER = Authority.root("Other root").issue(dns=[_HOST])
_SALT = b"salt"

_CLEAR_TEXT = authentication(3)
_MD5 = authentication(5, _SALT)
_SCRAM = authentication(10, b"SCRAM-SHA-256\0\0")
_BOUND_OFFER = b"SCRAM-SHA-256-PLUS\0\0"


def ask(
    port: int,
    mode: SslMode = SslMode.VERIFY_FULL,
    *,
    ca: bytes | None = None,
    password: Callable[[], str] | None = lambda: _PASSWORD,
    user: str = "postgres",
) -> ProbeReport:
    return probe(
        ProbeRequest(
            _HOST,
            port=port,
            address="127.0.0.1",
            user=user,
            database="postgres",
            password=password,
            ssl_mode=mode,
            ca_bundle=ca,
            timeout=5.0,
            policy=AddressPolicy.anywhere(),
        )
    )


def scram_login(
    leaf: Leaf, offer: bytes, server: ScramServer, *, skip_proof: bool = False
) -> Script:
    """A server that plays SCRAM to its end, and lets anybody in."""

    def script(peer: Peer) -> None:
        peer.accept_tls(leaf)
        peer.read_startup()
        peer.send(authentication(10, offer))
        _kind, first = peer.read_message()
        peer.send(authentication(11, server.answer_first(first.split(b"\0", 1)[1][4:])))
        _kind, final = peer.read_message()
        proof = b"" if skip_proof else authentication(12, server.answer_final(final))
        peer.send(proof + authentication(0) + READY)
        peer.read_message()
        peer.send(message(b"C", b"SELECT 0\0") + READY)
        peer.read_message()

    return script


def nothing_leaked(fake: Fake) -> bool:
    """No password in any form, and no message of any authentication."""
    inner = hashlib.md5(f"{_PASSWORD}postgres".encode()).hexdigest()
    outer = hashlib.md5(inner.encode() + _SALT).hexdigest()
    sent = bytes(fake.received)
    return not any(part.encode() in sent for part in (_PASSWORD, inner, outer, "n=", "r="))


# What is less than a verified connection: mode, CA file, served certificate.
_UNVERIFIED = [
    pytest.param(SslMode.REQUIRE, None, _LEAF, id="require, no CA file"),
    pytest.param(SslMode.REQUIRE, None, _STRANGER, id="require, no CA file, a stranger"),
    pytest.param(SslMode.REQUIRE, _ROOT.certificate_pem, _OTHER_NAME, id="require, other name"),
    pytest.param(SslMode.VERIFY_CA, _ROOT.certificate_pem, _OTHER_NAME, id="verify-ca, other name"),
]


@pytest.mark.shows(Cause.UNSAFE_PASSWORD_REQUEST)
@pytest.mark.parametrize(("mode", "ca", "leaf"), _UNVERIFIED)
@pytest.mark.parametrize("request_", [_CLEAR_TEXT, _MD5, _SCRAM], ids=["clear", "md5", "scram"])
def test_nothing_is_answered_on_less_than_a_verified_connection(
    mode: SslMode, ca: bytes | None, leaf: Leaf, request_: bytes
) -> None:
    """A request for a password is a warning there; nothing is sent; the verdict of TLS stands."""

    def never() -> str:
        raise AssertionError("the password was asked for")

    with Fake(scripted_login(leaf, request_)) as fake:
        report = ask(fake.port, mode, ca=ca, password=never)
        assert nothing_leaked(fake)
    assert report.verdict == "pass"
    assert report.evidence.login is not None
    assert not report.evidence.login.succeeded
    warnings = [f for f in report.findings if f.severity is Severity.WARNING]
    assert [w.cause for w in warnings] == [Cause.UNSAFE_PASSWORD_REQUEST]


@pytest.mark.parametrize("mode", [SslMode.VERIFY_CA, SslMode.VERIFY_FULL, SslMode.REQUIRE])
@pytest.mark.parametrize("leaf", [_STRANGER, _OTHER_NAME], ids=["stranger", "other name"])
def test_a_server_that_fails_the_mode_is_not_even_greeted(mode: SslMode, leaf: Leaf) -> None:
    """Where libpq would end the connection, no startup packet is sent: not even the user's name."""
    with Fake(scripted_login(leaf, _CLEAR_TEXT)) as fake:
        report = ask(fake.port, mode, ca=_ROOT.certificate_pem)
        if report.verdict == "fail":
            assert b"postgres" not in fake.received
        assert _PASSWORD.encode() not in fake.received


def test_plain_text_is_never_answered() -> None:
    """In mode none a server may ask what it likes: it gets the startup packet and nothing else."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(_CLEAR_TEXT)
        peer.read_message()

    with Fake(script) as fake:
        report = ask(fake.port, SslMode.NONE)
        assert nothing_leaked(fake)
    assert report.evidence.plaintext is not None
    assert report.evidence.plaintext.accepted


def test_a_server_without_tls_gets_no_password() -> None:
    """The answer N is the end; there is no falling back to plain text."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"N" + _CLEAR_TEXT)
        peer.receive()

    for mode in (SslMode.REQUIRE, SslMode.VERIFY_FULL):
        with Fake(script) as fake:
            report = ask(fake.port, mode, ca=_ROOT.certificate_pem)
            assert report.findings[0].cause is Cause.SSL_OFF
            assert nothing_leaked(fake)
            assert b"postgres" not in fake.received


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (_CLEAR_TEXT, _PASSWORD.encode()),
        (_MD5, b"md5"),
    ],
)
def test_a_verified_server_gets_what_it_asks_for(request_: bytes, expected: bytes) -> None:
    """On a connection verified in full, clear text and MD5 are answered, as libpq answers them."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        peer.send(request_)
        peer.read_message()
        peer.send(authentication(0) + READY)
        peer.read_message()
        peer.send(message(b"C", b"SELECT 0\0") + READY)
        peer.read_message()

    with Fake(script) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
        assert report.verdict == "pass"
        assert expected in fake.received


@pytest.mark.parametrize("request_", [_CLEAR_TEXT, _MD5, _SCRAM], ids=["clear", "md5", "scram"])
@pytest.mark.parametrize("password", [None, lambda: ""], ids=["none", "empty"])
def test_a_missing_password_is_named(password: Callable[[], str] | None, request_: bytes) -> None:
    """A server that wants a password when none was given has its own cause; so for libpq."""
    with Fake(scripted_login(_LEAF, request_)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem, password=password)
        assert nothing_leaked(fake)
    assert report.findings[0].cause is Cause.PASSWORD_MISSING
    assert report.verdict == "fail"


# ---- SCRAM


def test_scram_without_binding_is_taken_from_a_verified_server() -> None:
    """A pooler that knows no channel binding is fine behind a certificate that verifies in full."""
    server = ScramServer(_PASSWORD)
    with Fake(scram_login(_LEAF, b"SCRAM-SHA-256\0\0", server)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
    assert report.verdict == "pass"
    assert report.evidence.login is not None
    assert report.evidence.login.method == "scram-sha-256"
    assert not report.evidence.login.channel_binding


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    """SCRAM proves both sides: a wrong signature of the server ends the login."""
    server = ScramServer("something else")
    with Fake(scram_login(_LEAF, b"SCRAM-SHA-256\0\0", server)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
    assert report.findings[0].cause is Cause.UNSAFE_PASSWORD_REQUEST
    assert report.findings[0].severity is Severity.ERROR
    assert report.verdict == "fail"


def test_a_server_that_leaves_out_its_proof_is_found_out() -> None:
    """AuthenticationOk amid SCRAM is not a login, and channel binding is not claimed."""
    server = ScramServer(_PASSWORD)
    offer = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    with Fake(scram_login(_LEAF, offer, server, skip_proof=True)) as fake:
        report = ask(fake.port, SslMode.REQUIRE)
    assert report.findings[0].cause is Cause.UNSAFE_PASSWORD_REQUEST
    assert report.findings[0].severity is Severity.ERROR
    assert report.evidence.login is not None
    assert not report.evidence.login.channel_binding


def test_a_second_request_does_not_get_around_the_first() -> None:
    """A server that begins SCRAM with binding, then asks for clear text, gets no clear text."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_STRANGER)
        peer.read_startup()
        peer.send(authentication(10, b"SCRAM-SHA-256-PLUS\0\0"))
        peer.read_message()
        peer.send(_CLEAR_TEXT)
        peer.read_message()

    with Fake(script) as fake:
        report = ask(fake.port, SslMode.REQUIRE)
        assert _PASSWORD.encode() not in fake.received
    assert Cause.UNSAFE_PASSWORD_REQUEST in {f.cause for f in report.findings}


class Edited(ScramServer):
    """One whose first message is not what it should be."""

    def __init__(self, edit: Callable[[bytes], bytes]) -> None:
        super().__init__(_PASSWORD)
        self._edit = edit

    def answer_first(self, client_first: bytes) -> bytes:
        return self._edit(super().answer_first(client_first))


@pytest.mark.parametrize("iterations", [2_000_000_000, 10**40, 0, -1])
def test_work_without_end_is_not_begun(iterations: int) -> None:
    """A server that asks for hours of hashing is turned away, inside the deadline."""
    server = Edited(lambda first: first.replace(b"i=4096", f"i={iterations}".encode()))
    with Fake(scram_login(_LEAF, _BOUND_OFFER, server)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


@pytest.mark.parametrize("mode", [SslMode.REQUIRE, SslMode.VERIFY_FULL])
@pytest.mark.parametrize(
    "edit",
    [
        lambda first: b"r=evil" + first[first.index(b",") :],
        lambda first: first.replace(b",s=", b",s=,x="),
        lambda first: first.replace(b",s=", b",s=!"),
        lambda first: b"e=other-error",
        lambda first: b"m=more," + first,
        lambda first: b"",
        lambda first: b"\xff\0",
    ],
)
def test_an_invalid_first_message_gets_no_proof(
    edit: Callable[[bytes], bytes], mode: SslMode
) -> None:
    """A nonce that does not extend ours, no salt, no sense: the exchange ends there."""
    with Fake(scram_login(_LEAF, _BOUND_OFFER, Edited(edit))) as fake:
        report = ask(fake.port, mode, ca=_ROOT.certificate_pem)
        assert b",p=" not in fake.received
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


def test_a_stranger_gets_no_proof_that_is_soon_guessed() -> None:
    """Few iterations are answered to a server that is verified, and to nobody else."""
    server = ScramServer(_PASSWORD, iterations=1)
    with Fake(scram_login(_LEAF, _BOUND_OFFER, server)) as fake:
        assert ask(fake.port, ca=_ROOT.certificate_pem).evidence.login == LoginFacts(
            succeeded=True, method="scram-sha-256-plus", channel_binding=True
        )
    with Fake(scram_login(_STRANGER, _BOUND_OFFER, server)) as fake:
        report = ask(fake.port, SslMode.REQUIRE)
        assert b",p=" not in fake.received
    assert (report.verdict, report.findings[0].cause) == ("pass", Cause.UNSAFE_PASSWORD_REQUEST)


def test_the_servers_own_error_in_scram_is_read() -> None:
    """RFC 5802 lets a server say why it does not accept the proof; libpq prints that."""

    class Refusing(ScramServer):
        def answer_final(self, client_final: bytes) -> bytes:
            return b"e=invalid-proof"

    with Fake(scram_login(_LEAF, b"SCRAM-SHA-256\0\0", Refusing(_PASSWORD))) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
    assert report.findings[0].cause is Cause.PASSWORD_REJECTED
    assert "invalid-proof" in report.findings[0].seen


@pytest.mark.parametrize("again", [authentication(0), _CLEAR_TEXT, _MD5, _SCRAM])
def test_who_is_in_is_not_asked_again(again: bytes) -> None:
    """After AuthenticationOk nothing is answered, on a verified connection too."""
    with Fake(scripted_login(_LEAF, authentication(0) + again + READY)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem)
        assert nothing_leaked(fake)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


# ---- a relay in between


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """The real server behind the relay, with SCRAM."""
    with Postgres.start(tls=_LEAF, hba=Access.TLS_ONLY) as server:
        yield server


def test_a_relay_that_changes_nothing_is_found_out_by_channel_binding(postgres: Postgres) -> None:
    """In require without a CA file, libpq's TLS accepts a relay; SCRAM with binding does not."""
    with Fake(relay((postgres.host, postgres.port), _STRANGER, lambda block: block)) as fake:
        report = ask(fake.port, SslMode.REQUIRE, password=lambda: postgres.password)
        assert postgres.password.encode() not in fake.received
    assert report.verdict == "fail"
    assert report.evidence.login is not None
    assert report.evidence.login.method == "scram-sha-256-plus"
    assert not report.evidence.login.succeeded


def test_a_relay_that_takes_channel_binding_away_gets_nothing(postgres: Postgres) -> None:
    """SCRAM-PLUS cut out of the server's offer leaves no safe way: the login is not attempted."""

    def downgrade(block: bytes) -> bytes:
        offer = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
        if offer not in block:
            return block
        return authentication(10, b"SCRAM-SHA-256\0\0")

    with Fake(relay((postgres.host, postgres.port), _STRANGER, downgrade)) as fake:
        report = ask(fake.port, SslMode.REQUIRE, password=lambda: postgres.password)
        assert b"r=" not in fake.received
    assert Cause.UNSAFE_PASSWORD_REQUEST in {f.cause for f in report.findings}
    assert report.verdict == "pass"


def test_a_relay_with_the_right_certificate_cannot_take_channel_binding_away(
    postgres: Postgres,
) -> None:
    """We say that we could have bound the channel, and PostgreSQL then knows of the relay."""

    def downgrade(block: bytes) -> bytes:
        return block.replace(
            authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
            authentication(10, b"SCRAM-SHA-256\0\0"),
        )

    with Fake(relay((postgres.host, postgres.port), _LEAF, downgrade)) as fake:
        ca, password = _ROOT.certificate_pem, postgres.password
        said = libpq_says(_HOST, fake.port, SslMode.VERIFY_FULL, ca_bundle=ca, password=password)
        report = ask(fake.port, ca=ca, password=lambda: password)
    assert not said.connected
    assert explain(said.text).cause is Cause.UNSAFE_PASSWORD_REQUEST, said.text
    assert report.verdict == "fail"
    assert report.findings[0].cause is Cause.UNSAFE_PASSWORD_REQUEST


@pytest.mark.parametrize("leaf", [_STRANGER, _OTHER_NAME], ids=["stranger", "other name"])
def test_a_relay_with_another_certificate_gets_no_greeting(postgres: Postgres, leaf: Leaf) -> None:
    """In verify-full a relay sees the handshake and nothing else."""
    with Fake(relay((postgres.host, postgres.port), leaf, lambda block: block)) as fake:
        report = ask(fake.port, ca=_ROOT.certificate_pem, password=lambda: postgres.password)
        assert report.verdict == "fail"
        assert b"postgres" not in fake.received


@pytest.mark.shows(Cause.TLS_ENDS_AT_PROXY)
def test_a_pooler_that_ends_tls_is_noticed() -> None:
    """Behind it the session is in plain text, which the server's own row says."""
    with Postgres.start(hba=Access.PLAIN_ONLY) as plain:
        target = (plain.host, plain.port)
        with Fake(relay(target, _LEAF, lambda block: block, tls=False)) as fake:
            report = ask(fake.port, ca=_ROOT.certificate_pem, password=lambda: plain.password)
    assert report.verdict == "pass"
    assert report.evidence.login is not None
    assert report.evidence.login.session_ssl is False
    assert [f.cause for f in report.findings] == [Cause.TLS_ENDS_AT_PROXY]


# ---- what libpq does with the same server


@pytest.mark.parametrize("key", [Key.EC_P256, Key.EC_P384, Key.RSA_2048, Key.RSA_PSS, Key.ED25519])
@pytest.mark.parametrize("pss", [False, True])
def test_scram_succeeds_where_libpqs_does(postgres: Postgres, key: Key, pss: bool) -> None:
    """Channel binding hashes the certificate as libpq does, and fails where it fails (Ed25519)."""
    root = Authority.root("Root", key=key)
    postgres.use_tls(root.issue(dns=[_HOST], key=key, pss=pss and key is Key.RSA_2048))
    ca = root.certificate_pem
    said = libpq_says(
        _HOST, postgres.port, SslMode.VERIFY_FULL, ca_bundle=ca, password=postgres.password
    )
    report = ask(postgres.port, ca=ca, password=lambda: postgres.password)
    assert (report.verdict == "pass") == said.connected, (said, report.findings)
    if said.connected:
        assert report.evidence.login is not None
        assert report.evidence.login.channel_binding


@pytest.mark.parametrize("iterations", [1, 1000, 10_000])
def test_a_server_may_ask_for_few_iterations(postgres: Postgres, iterations: int) -> None:
    """scram_iterations (PostgreSQL 16) goes down to 1, and libpq answers that."""
    postgres.use_tls(_LEAF)
    postgres.execute("DROP ROLE IF EXISTS hasty")
    postgres.execute(
        f"SET scram_iterations = {iterations}; CREATE ROLE hasty LOGIN PASSWORD 'secret'"
    )
    ca = _ROOT.certificate_pem
    said = libpq_says(
        _HOST, postgres.port, SslMode.VERIFY_FULL, ca_bundle=ca, user="hasty", password="secret"
    )
    assert said.connected
    assert ask(postgres.port, ca=ca, password=lambda: "secret", user="hasty").verdict == "pass"


@pytest.mark.parametrize(
    "password",
    ["plain", "with 'quotes\" and \\", "tab\there", "pässwörd", "ﬁ\u00adx", "\u0627a", "x" * 500],
)
def test_every_password_that_libpq_can_use_works(postgres: Postgres, password: str) -> None:
    """SASLprep, and what is exempt from it, is libpq's."""
    from psycopg import sql

    postgres.use_tls(_LEAF)
    postgres.execute("DROP ROLE IF EXISTS someone")
    statement = sql.SQL("CREATE ROLE someone LOGIN PASSWORD {}").format(sql.Literal(password))
    postgres.execute(statement.as_string())
    said = libpq_says(
        _HOST,
        postgres.port,
        SslMode.VERIFY_FULL,
        ca_bundle=_ROOT.certificate_pem,
        user="someone",
        password=password,
    )
    report = ask(postgres.port, ca=_ROOT.certificate_pem, password=lambda: password, user="someone")
    assert (report.verdict == "pass") == said.connected, (said, report.findings)
