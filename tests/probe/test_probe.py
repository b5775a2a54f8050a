"""The probe against a real PostgreSQL: verdicts, findings and evidence from one look."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, Severity, SslMode, Stage
from sandbox.pki import Authority, Key, Leaf, bundle, self_signed
from sandbox.postgres import Access, Postgres
from tests.probe.reference import MODES, libpq_says

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_ISSUING = _ROOT.intermediate("Example issuing CA")
_LEAF = _ISSUING.issue(dns=[_HOST])


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server for the module; a test that changes what it serves says so with `serving`."""
    with Postgres.start(
        tls=_LEAF, hba=Access.TLS_ONLY, users={"reader": "a password"}, databases=("orders",)
    ) as server:
        yield server


@pytest.fixture
def serving(postgres: Postgres) -> Iterator[Any]:
    """Serve another certificate for one test."""
    yield postgres.use_tls
    postgres.use_tls(_LEAF)


def ask(postgres: Postgres, **more: Any) -> ProbeReport:
    """Probe as the superuser, dialling the server while `_HOST` is verified."""
    request = ProbeRequest(
        _HOST,
        port=postgres.port,
        address="127.0.0.1",
        user=postgres.user,
        database="postgres",
        password=lambda: postgres.password,
        ca_bundle=_ROOT.certificate_pem,
        policy=AddressPolicy.anywhere(),
    )
    return probe(replace(request, **more))


def causes(report: ProbeReport) -> dict[Cause, Severity]:
    return {finding.cause: finding.severity for finding in report.findings}


def test_a_good_server_passes_on_one_connection(postgres: Postgres) -> None:
    """All three verdicts, the login and every fact come from one connection."""
    report = ask(postgres)
    assert report.passed
    assert not report.findings
    assert all(report.verdicts.of(mode).passed for mode in MODES)
    assert report.evidence.connections == 1
    assert ProbeReport.model_validate_json(report.model_dump_json()) == report


def test_the_evidence_is_the_servers_own(postgres: Postgres) -> None:
    """Addresses, TLS, chain, anchor, names, login and the server's settings are as they are."""
    evidence = ask(postgres).evidence
    assert [(a.ip, a.outcome) for a in evidence.addresses] == [("127.0.0.1", "connected")]
    assert evidence.peer == "127.0.0.1"
    assert evidence.server_name == _HOST
    assert evidence.reached is Stage.QUERY
    assert evidence.tls is not None
    assert (evidence.tls.version, evidence.tls.alpn) == ("TLSv1.3", "postgresql")
    assert evidence.tls.verified
    assert [facts.sha256 for facts in evidence.chain] == [_LEAF.fingerprint, _ISSUING.fingerprint]
    assert evidence.chain_length == 2
    assert evidence.chain_complete
    assert evidence.anchor is not None
    assert evidence.anchor.sha256 == _ROOT.fingerprint
    assert evidence.names == (f"DNS:{_HOST}",)
    assert evidence.days_left in (88, 89)
    login = evidence.login
    assert login is not None
    assert login.succeeded
    assert login.channel_binding
    assert login.method == "scram-sha-256-plus"
    assert login.server_version == postgres.server_version
    assert (login.ssl, login.min_tls) == ("on", "TLSv1.2")
    assert (login.session_ssl, login.session_version) == (True, "TLSv1.3")
    assert login.session_cipher == evidence.tls.cipher
    assert login.plaintext_sessions == 0
    timings = evidence.timings
    parts = (timings.dns, timings.tcp, timings.tls, timings.login, timings.query)
    assert all(part is not None and part >= 0 for part in parts)
    assert sum(part or 0 for part in parts) <= timings.total


def test_what_a_search_path_holds_is_not_asked(postgres: Postgres) -> None:
    """A role may be set to look elsewhere before the catalog; our question is none about that."""
    postgres.execute(
        "CREATE SCHEMA other; CREATE VIEW other.pg_stat_ssl AS SELECT 1 AS pid;"
        "CREATE TABLE other.pg_replication_slots (); CREATE TABLE other.pg_stat_activity ();"
        "CREATE FUNCTION other.current_setting(text) RETURNS text RETURN 'nonsense';"
        "ALTER ROLE postgres SET search_path = other, pg_catalog"
    )
    try:
        report = ask(postgres)
    finally:
        postgres.execute("ALTER ROLE postgres RESET search_path; DROP SCHEMA other CASCADE")
    assert report.evidence.login is not None
    assert report.evidence.login.server_version == postgres.server_version
    assert report.evidence.login.slots == ()


def test_without_a_user_it_stops_after_tls(postgres: Postgres) -> None:
    """No login is tried, and the verdicts are the same."""
    report = ask(postgres, user=None, password=None)
    assert report.passed
    assert report.evidence.login is None
    assert report.evidence.reached is Stage.TLS
    assert report.evidence.timings.login is None


def test_a_role_that_may_not_see_settings_and_sessions_says_so(postgres: Postgres) -> None:
    """What the role may not see is unknown, not zero, and no error."""
    report = ask(postgres, user="reader", password=lambda: "a password")
    assert report.passed
    assert report.evidence.login is not None
    assert report.evidence.login.ssl == "on"
    assert report.evidence.login.min_tls is None
    assert report.evidence.login.plaintext_sessions is None


def test_other_sessions_in_plain_text_are_counted() -> None:
    """A session over TCP without TLS counts; those over the private socket do not."""
    import psycopg

    with Postgres.start(tls=_LEAF, hba=Access.ANY) as server:
        with psycopg.connect(**server.parameters(sslmode="disable")):
            report = ask(server)
        assert report.evidence.login is not None
        assert report.evidence.login.plaintext_sessions == 1


# ---- verdicts


def test_a_chain_that_does_not_verify_is_looked_at_again(postgres: Postgres) -> None:
    """A second connection without verification collects the evidence, and no login is tried."""
    report = ask(postgres, ca_bundle=Authority.root("Other root").certificate_pem)
    assert not report.passed
    assert report.evidence.connections == 2
    assert [facts.sha256 for facts in report.evidence.chain][:1] == [_LEAF.fingerprint]
    assert report.evidence.tls is not None
    assert not report.evidence.tls.verified
    assert report.evidence.login is None
    assert report.evidence.anchor is None
    for mode in MODES:
        assert report.verdicts.of(mode).cause is Cause.UNKNOWN_AUTHORITY
    assert "Example root" in report.findings[0].seen
    assert "Other root" in report.findings[0].seen


def test_the_reading_of_require_that_dms_documents(postgres: Postgres) -> None:
    """With a CA file libpq verifies in require; what DMS documents does not. Both are reported."""
    other = Authority.root("Other root").certificate_pem
    report = ask(postgres, ca_bundle=other, ssl_mode=SslMode.REQUIRE)
    assert not report.verdicts.require.passed
    assert report.verdicts.require.dms_reading.passed
    assert report.verdicts.require.dms_reading.differs
    without = ask(postgres, ca_bundle=None, ssl_mode=SslMode.REQUIRE)
    assert without.passed
    assert not without.verdicts.require.dms_reading.differs


@pytest.mark.shows(Cause.CA_BUNDLE_MISSING)
def test_without_a_ca_file_the_verifying_modes_fail(postgres: Postgres) -> None:
    """libpq refuses them before TLS; require passes."""
    report = ask(postgres, ca_bundle=None)
    assert causes(report) == {Cause.CA_BUNDLE_MISSING: Severity.ERROR}
    assert report.verdicts.require.passed
    assert report.verdicts.verify_ca.cause is Cause.CA_BUNDLE_MISSING
    assert "root certificate file" in (report.verdicts.verify_full.libpq or "")


@pytest.mark.shows(Cause.CA_BUNDLE_INVALID)
def test_a_ca_file_that_cannot_be_read_fails_every_mode(postgres: Postgres) -> None:
    """Empty and damaged files are worse than none: libpq refuses them in require, too."""
    for content in (b"", b"garbage", _ROOT.certificate_pem[:100]):
        report = ask(postgres, ca_bundle=content)
        assert {report.verdicts.of(mode).cause for mode in MODES} == {Cause.CA_BUNDLE_INVALID}
        assert report.verdicts.require.dms_reading.passed


@pytest.mark.shows(Cause.CRL_INVALID)
def test_a_list_that_cannot_be_read_is_a_warning(postgres: Postgres) -> None:
    """libpq goes on without the list, silently; the probe says so."""
    report = ask(postgres, crl=b"garbage")
    assert report.passed
    assert causes(report) == {Cause.CRL_INVALID: Severity.WARNING}


def test_a_stronger_mode_that_would_pass_is_pointed_out(postgres: Postgres) -> None:
    """A team in require learns that verify-full would pass today."""
    report = ask(postgres, ssl_mode=SslMode.REQUIRE)
    assert report.passed
    assert causes(report) == {Cause.MODE_COULD_BE_RAISED: Severity.ADVICE}
    assert "verify-full" in report.findings[0].seen


def test_the_name_that_does_not_fit_is_named(postgres: Postgres) -> None:
    """verify-ca passes, verify-full names the host and what the certificate has."""
    report = ask(postgres, host="other.example.com")
    assert report.verdicts.verify_ca.passed
    assert report.verdicts.verify_full.cause is Cause.HOSTNAME_MISMATCH
    assert _HOST in report.verdicts.verify_full.seen
    assert "other.example.com" in report.verdicts.verify_full.seen
    assert report.evidence.connections == 1


@pytest.mark.parametrize(
    ("make", "ca", "cause", "words"),
    [
        (
            lambda: Leaf(_LEAF.certificate, _LEAF.private_key, _LEAF.kind),
            _ROOT,
            Cause.CHAIN_INCOMPLETE,
            "Example issuing CA",
        ),
        (lambda: _LEAF, _ISSUING, Cause.UNKNOWN_AUTHORITY, "Example root"),
        (lambda: _LEAF, _LEAF, Cause.UNKNOWN_AUTHORITY, "Example root"),
        (lambda: self_signed(dns=[_HOST]), _ROOT, Cause.SELF_SIGNED, "its own key"),
        (
            lambda: _ROOT.issue(dns=[_HOST], not_after=datetime.now(UTC) - timedelta(days=3)),
            _ROOT,
            Cause.CERTIFICATE_EXPIRED,
            "expired on",
        ),
        (
            lambda: _ROOT.issue(dns=[_HOST], not_before=datetime.now(UTC) + timedelta(days=3)),
            _ROOT,
            Cause.CERTIFICATE_NOT_YET_VALID,
            "not valid before",
        ),
    ],
)
def test_the_cause_says_which_certificate_it_is(
    postgres: Postgres, serving: Any, *, make: Any, ca: Authority | Leaf, cause: Cause, words: str
) -> None:
    """The missing issuer, the expired certificate and its date are in the text."""
    serving(make())
    report = ask(postgres, ca_bundle=bundle(ca))
    assert report.findings[0].cause is cause
    assert words in report.findings[0].seen


def test_an_address_in_the_certificate_is_read_otherwise_by_an_older_libpq(
    postgres: Postgres, serving: Any
) -> None:
    """libpq 14 and older know no addresses in certificates, which is advice."""
    serving(_ROOT.issue(ips=["127.0.0.1"]))
    report = ask(postgres, host="127.0.0.1")
    assert report.passed
    assert causes(report) == {Cause.HOSTNAME_READING_DIFFERS: Severity.ADVICE}


# ---- findings beside the verdict


def test_another_certificate_than_the_intended_one(postgres: Postgres) -> None:
    """A server that has not been reloaded is a warning with the command that helps."""
    report = ask(postgres, intended_leaf_sha256="00" * 32)
    assert report.passed
    assert causes(report) == {Cause.SERVED_CERTIFICATE_DIFFERS: Severity.WARNING}
    assert "pg_reload_conf" in report.findings[0].remedy
    same = ask(postgres, intended_leaf_sha256=_LEAF.fingerprint.upper())
    assert same.evidence.served_intended is True
    assert not same.findings


def test_policy_is_not_part_of_the_verdict(postgres: Postgres, serving: Any) -> None:
    """Expiry soon and long validity refuse nothing, also when a source raises them to errors."""
    now = datetime.now(UTC)
    serving(
        _ROOT.issue(
            dns=[_HOST], not_before=now - timedelta(days=400), not_after=now + timedelta(days=10)
        )
    )
    found = {Cause.CERTIFICATE_EXPIRES_SOON, Cause.VALIDITY_TOO_LONG}
    report = ask(postgres)
    assert report.passed
    assert causes(report) == {
        Cause.CERTIFICATE_EXPIRES_SOON: Severity.WARNING,
        Cause.VALIDITY_TOO_LONG: Severity.ADVICE,
    }
    strict = ask(postgres, certificate_policy=Policy(raise_to_error=tuple(found)))
    assert strict.passed
    assert set(causes(strict)) == found


def test_an_anchor_that_ends_soon_is_reported(postgres: Postgres, serving: Any) -> None:
    """The server does not send its root, but nothing verifies once that has expired."""
    now = datetime.now(UTC)
    root = Authority.root(
        "Ends soon", not_before=now - timedelta(days=90), not_after=now + timedelta(days=9)
    )
    serving(root.issue(dns=[_HOST], not_after=now + timedelta(days=90)))
    report = ask(postgres, ca_bundle=root.certificate_pem)
    assert report.passed
    assert causes(report) == {Cause.CERTIFICATE_EXPIRES_SOON: Severity.WARNING}
    assert "CN=Ends soon" in report.findings[0].seen


@pytest.mark.shows(Cause.TLS_NO_SHARED_PROTOCOL)
@pytest.mark.parametrize("ciphers", ["DEFAULT", "AES128-SHA"])
def test_tls_below_1_2_is_never_spoken(ciphers: str) -> None:
    """libpq's level of security has no TLS 1.1, not even when it is asked for, and nor have we."""
    settings = {
        "ssl_min_protocol_version": "TLSv1",
        "ssl_max_protocol_version": "TLSv1.1",
        "ssl_ciphers": ciphers,
    }
    leaf = _ROOT.issue(dns=[_HOST], key=Key.RSA_2048)
    with Postgres.start(tls=leaf, hba=Access.TLS_ONLY, settings=settings) as server:
        for least in (None, "1.0", "1.1"):
            said = libpq_says(
                _HOST, server.port, SslMode.REQUIRE, min_tls=least, password=server.password
            )
            assert not said.connected
            report = ask(server, min_tls=least)
            assert report.findings[0].cause is Cause.TLS_NO_SHARED_PROTOCOL


# ---- plain text


@pytest.mark.shows(Cause.PLAINTEXT_ACCEPTED)
def test_a_server_that_takes_plain_text_is_a_warning() -> None:
    """Asked for on a connection of its own, which stops at the first answer."""
    with Postgres.start(tls=_LEAF, hba=Access.ANY) as server:
        report = ask(server, probe_plaintext=True)
    assert report.passed
    assert report.evidence.connections == 2
    assert causes(report) == {Cause.PLAINTEXT_ACCEPTED: Severity.WARNING}


def test_a_server_that_refuses_plain_text_is_as_it_should_be(postgres: Postgres) -> None:
    """pg_hba.conf with hostssl alone is evidence, not a finding."""
    report = ask(postgres, probe_plaintext=True)
    assert report.passed
    assert not report.findings
    assert report.evidence.plaintext is not None
    assert not report.evidence.plaintext.accepted


@pytest.mark.shows(Cause.HBA_REJECTED_PLAINTEXT)
def test_mode_none_says_what_would_happen(postgres: Postgres) -> None:
    """Without TLS the server refuses; the verdicts of the other modes come along."""
    report = ask(postgres, ssl_mode=SslMode.NONE)
    assert not report.passed
    assert causes(report)[Cause.HBA_REJECTED_PLAINTEXT] is Severity.ERROR
    assert report.verdicts.verify_full.passed


@pytest.mark.shows(Cause.SSL_OFF)
def test_a_server_without_tls() -> None:
    """Every mode fails with the manual's remedy; mode none passes."""
    with Postgres.start(hba=Access.ANY) as server:
        report = ask(server)
        assert {report.verdicts.of(mode).cause for mode in MODES} == {Cause.SSL_OFF}
        assert "ssl = on" in report.findings[0].remedy
        plain = ask(server, ssl_mode=SslMode.NONE)
        assert plain.passed
        assert not plain.findings
        unnamed = ask(server, ssl_mode=SslMode.NONE, user=None)
        assert unnamed.passed


# ---- where it may go


@pytest.mark.shows(Cause.ADDRESS_FORBIDDEN)
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "169.254.170.2",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1:7f00:0:100::",
        "::127.0.0.1",
        "::10.0.0.1",
        "2001:0:7f00:1::80ff:fffe",
        "0.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ],
)
def test_addresses_that_are_nobodys_database_are_refused(address: str) -> None:
    """Loopback, link-local, metadata and the like, in any disguise, before anything is dialled."""

    def resolve(_host: str, port: int, **_: Any) -> Any:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port)),
        ]

    report = probe(ProbeRequest(_HOST), resolve=resolve)
    assert causes(report) == {Cause.ADDRESS_FORBIDDEN: Severity.ERROR}
    assert report.evidence.connections == 0
    assert address in report.findings[0].seen


def test_hosts_and_ports_can_be_limited() -> None:
    """A host or port that the policy does not list is refused before it is resolved."""
    policy = AddressPolicy(hosts=("*.db.example.com",), ports=(5432,))

    def resolve(*_: Any, **__: Any) -> Any:
        raise AssertionError("resolved")

    for host, port in (("example.com", 5432), ("a.db.example.com", 22)):
        report = probe(ProbeRequest(host, port=port, policy=policy), resolve=resolve)
        assert causes(report) == {Cause.ADDRESS_FORBIDDEN: Severity.ERROR}


@pytest.mark.shows(Cause.HOST_INVALID)
@pytest.mark.parametrize("host", ["", "/tmp", "@abstract", "a,b", "a\0b", "x" * 256])
def test_an_invalid_host(host: str) -> None:
    """What libpq takes for a socket or a list is refused, and so is what nothing can resolve."""
    report = probe(ProbeRequest(host, policy=AddressPolicy.anywhere()))
    assert causes(report) == {Cause.HOST_INVALID: Severity.ERROR}


def test_a_zone_that_is_not_here_is_a_cause() -> None:
    """A link-local address of an interface that this machine lacks cannot be dialled."""
    report = probe(
        ProbeRequest(_HOST, address="fe80::1%nowhere0", policy=AddressPolicy.anywhere(), timeout=3)
    )
    assert not report.passed
    assert report.findings[0].cause in (Cause.HOST_INVALID, Cause.HOST_UNREACHABLE)


def test_a_family_of_addresses_that_is_not_here_is_a_cause() -> None:
    """An address for which there is no socket is unreachable, and the next one is tried."""

    def resolve(_host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_APPLETALK, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    report = probe(ProbeRequest(_HOST, policy=AddressPolicy.anywhere(), timeout=3), resolve=resolve)
    assert report.findings[0].cause is Cause.HOST_UNREACHABLE


@pytest.mark.shows(Cause.DNS_FAILED)
@pytest.mark.parametrize(
    "host", ["nowhere.invalid", "[::1]", "x" * 64 + ".invalid", ".invalid", "bücher.invalid", " "]
)
def test_a_name_without_an_address(host: str) -> None:
    """However odd the name, the cause is that it has no address."""
    report = probe(ProbeRequest(host, policy=AddressPolicy.anywhere(), timeout=5))
    assert report.findings[0].cause in (Cause.DNS_FAILED, Cause.CONNECTION_TIMEOUT)
    assert report.findings[0].stage is Stage.DNS


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[127.0.0.1]"],
)
def test_a_host_is_dialled_as_libpq_dials_it(postgres: Postgres, serving: Any, host: str) -> None:
    """What libpq resolves is resolved, and its verdicts are libpq's."""
    serving(_ROOT.issue(dns=["localhost"], ips=["127.0.0.1"]))
    ca = _ROOT.certificate_pem
    report = ask(postgres, host=host, address=None)
    for mode in MODES:
        said = libpq_says(
            host, postgres.port, mode, address=None, ca_bundle=ca, password=postgres.password
        )
        assert report.verdicts.of(mode).passed == said.connected, said


def test_the_next_address_is_tried_when_one_refuses(postgres: Postgres) -> None:
    """As libpq does; what came of each address is in the evidence."""

    def resolve(_host: str, port: int, **_: Any) -> Any:
        addresses = ("127.0.0.2", "127.0.0.1", "127.0.0.3")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    report = probe(
        ProbeRequest(
            _HOST,
            port=postgres.port,
            ca_bundle=_ROOT.certificate_pem,
            policy=AddressPolicy.anywhere(),
        ),
        resolve=resolve,
    )
    assert report.passed
    assert [(a.ip, a.outcome) for a in report.evidence.addresses] == [
        ("127.0.0.2", "refused"),
        ("127.0.0.1", "connected"),
        ("127.0.0.3", "not_tried"),
    ]
    assert report.evidence.peer == "127.0.0.1"


def test_every_address_is_tried(postgres: Postgres) -> None:
    """As libpq does, up to sixteen, however many refuse."""

    def resolve(_host: str, port: int, **_: Any) -> Any:
        addresses = (*(f"127.0.1.{n}" for n in range(1, 16)), "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    request = ProbeRequest(
        _HOST,
        port=postgres.port,
        ca_bundle=_ROOT.certificate_pem,
        policy=AddressPolicy.anywhere(),
    )
    report = probe(request, resolve=resolve)
    assert report.passed
    assert report.evidence.peer == "127.0.0.1"
    assert len(report.evidence.addresses) == 16


def test_an_address_that_does_not_answer_costs_its_share_and_no_more(postgres: Postgres) -> None:
    """The time that it took does not measure the way to the one that answers."""

    def resolve(_host: str, port: int, **_: Any) -> Any:
        addresses = ("127.0.0.2", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    request = ProbeRequest(
        _HOST,
        port=postgres.port,
        ca_bundle=_ROOT.certificate_pem,
        timeout=4.0,
        policy=AddressPolicy.anywhere(),
    )
    with ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.2", postgres.port), backlog=0))
        for _ in range(4):  # its queue is full
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", postgres.port))
        report = probe(request, resolve=resolve)
    assert report.passed
    assert [a.outcome for a in report.evidence.addresses] == ["timeout", "connected"]
    assert report.evidence.timings.total < 3500


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 0),
        ("port", 65536),
        ("timeout", 0),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("address", "db.example.com"),
        ("min_tls", "1.4"),
        ("max_tls", "SSLv3"),
        ("user", "a\0b"),
        ("database", "a\0b"),
    ],
)
def test_a_request_that_makes_no_sense_names_its_field(field: str, value: Any) -> None:
    """Wrong arguments are a ValueError that names the field."""
    with pytest.raises(ValueError) as caught:
        ProbeRequest(_HOST, **{field: value})
    assert field in str(caught.value)


def test_a_password_is_in_no_representation() -> None:
    """Neither the request nor its errors show it."""
    request = ProbeRequest(_HOST, password=lambda: "a secret")
    assert "secret" not in repr(request)
