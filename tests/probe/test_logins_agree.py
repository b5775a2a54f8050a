"""Logins out of a grammar, with something odd in each: the probe gets in where libpq does.

Each case is a number, as in ``test_grammar``. CERTIFIER_CASES says how many. Where the probe is
stricter on purpose, ``_STRICTER`` says so; it is never laxer.
"""

import base64
import contextlib
import os
import random
import struct
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode, Stage
from tests.probe.fakes import (
    READY,
    Fake,
    Peer,
    ScramServer,
    Script,
    authentication,
    error,
    message,
    parameter,
    rows,
    server_context,
)
from tests.probe.hostile import ROOT
from tests.probe.mutate import mutated_messages
from tests.probe.reference import Said, libpq_says

HOST, USER, PASSWORD = "db.example.com", "dms", "swordfish 41"
_FUZZING = "CERTIFIER_CASES" in os.environ
_CASES = int(os.environ["CERTIFIER_CASES"]) // 4 if _FUZZING else 240
_SHARES = 4  # tests that the cases are spread over
_PATIENCE = (0.1, 3.0)  # seconds that a server waits for the client; the second where it matters
_CONTEXT = server_context(ROOT.issue(dns=[HOST]))

pytestmark = pytest.mark.timeout(7200 if _FUZZING else 300)

# What libpq takes and no PostgreSQL sends: answers to a query before there is one, a login that
# leaves out the end of SCRAM, work without bound, and a request that is cut short, of which libpq
# reads the rest in the message behind it.
_STRICTER = (
    "where PostgreSQL sends none",
    "did not prove that it knows the password",
    "iterations; at most 600000 are computed",
    "messages where a hundred are usual",
    "bytes; at most 65536 are read",
    "list of mechanisms has no end",
    "in 4 bytes instead of 8",
)
# libpq 18 takes the first of these two that is offered; 17 and older know one of them.
_OAUTH_FIRST = "OAuth"


def _request(port: int) -> ProbeRequest:
    return ProbeRequest(
        HOST,
        port=port,
        address="127.0.0.1",
        user=USER,
        database="postgres",
        password=lambda: PASSWORD,
        ca_bundle=ROOT.certificate_pem,
        timeout=5,
        policy=AddressPolicy.anywhere(),
    )


def _asked(script: Callable[[], Script]) -> tuple[ProbeReport, Said]:
    """What the probe and what libpq say, each of a server of its own."""
    with Fake(script()) as fake:
        said = libpq_says(
            HOST,
            fake.port,
            SslMode.VERIFY_FULL,
            ca_bundle=ROOT.certificate_pem,
            user=USER,
            password=PASSWORD,
            timeout=5,
        )
    with Fake(script()) as fake:
        return probe(_request(fake.port)), said


def _disagreement(report: ProbeReport, said: Said) -> str | None:
    """Why the two do not agree; None when they do, or when the probe is stricter on purpose."""
    errors = [one for one in report.findings if one.severity == "error"]
    if report.evidence.reached is Stage.QUERY and not said.connected:
        # Of what comes after the login, libpq reads as much as has arrived.
        late = any(one.stage is Stage.QUERY for one in errors)
        return None if late or _OAUTH_FIRST in said.text else f"only the probe logged in: {said}"
    if report.evidence.reached is Stage.QUERY or not said.connected:
        return None
    stricter = any(text in one.seen for one in errors for text in _STRICTER)
    cut_off = any(one.cause is Cause.CONNECTION_RESET for one in errors)  # the script lost patience
    return None if stricter or cut_off else f"only libpq logged in: {errors}"


# ---- a login that is well-formed

_VALUES = (b"on", b"17.2", b"TLSv1.2", b"true", b"TLSv1.3", b"x", b"0", b"false", b"s", b"true")
_ROW = message(
    b"D",
    struct.pack("!H", 12)
    + b"".join(struct.pack("!i", len(value)) + value for value in _VALUES)
    + struct.pack("!i", -1) * 2,
)
_WELCOME = [
    parameter("client_encoding", "UTF8"),
    parameter("server_version", "17.2"),
    message(b"K", bytes(8)),
    message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
    READY,
]
_ANSWER = [rows(*"abcdefghijkl"), _ROW, message(b"C", b"SELECT 1\0"), READY]
_LISTS = (b"SCRAM-SHA-256\0\0", b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")


class _OddScram(ScramServer):
    """A server that spells its messages of SCRAM in another way, and computes with what it said."""

    def __init__(self, rng: random.Random, *, odd: bool) -> None:
        super().__init__(PASSWORD)
        self._rng = rng
        self._odd = odd

    def answer_first(self, client_first: bytes) -> bytes:
        first = super().answer_first(client_first)
        if not self._odd:
            return first
        nonce, salt, iterations, rest = *first.decode().split(","), ""
        match self._rng.randrange(5):
            case 0:
                nonce = self._rng.choice((nonce.removesuffix("server"), nonce + "é", nonce + " "))
            case 1:
                salt = self._rng.choice(("s=", "s=AA==", salt.rstrip("="), salt + "=", salt + " "))
            case 2:
                iterations = "i=" + self._rng.choice(
                    ("+4096", " 4096", "\t7", "004096", "4096 ", "0x10", "-1", "0", "", "1e3", "٤")
                )
            case 3:
                rest = self._rng.choice((",", ",x=1", "\0", ",x=\0", ",,"))
            case _:
                nonce = "m=x," + nonce
        said = f"{nonce},{salt},{iterations}{rest}"
        self._compute_with(client_first, said, salt, iterations)
        return said.encode()

    def _compute_with(self, client_first: bytes, said: str, salt: str, iterations: str) -> None:
        bare = client_first.decode().split(",", 2)[2]
        self._first = f"{bare},{said}"
        text = salt.removeprefix("s=").strip().rstrip("=")
        self._salt = base64.b64decode(text + "=" * (-len(text) % 4))
        digits = iterations.removeprefix("i=").strip().lstrip("+")
        self._iterations = max(int(digits), 1) if digits.isdecimal() else 1


def _final(final: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        (
            final + b",x=1",
            final + b"\0",
            final + b",x=\0",
            final + b",",
            final + b" ",
            final.rstrip(b"="),
            final.replace(b"v=", b"w="),
            b"e=other-error",
            b"",
        )
    )


def _scram(peer: Peer, rng: random.Random) -> Iterator[list[bytes]]:
    odd = rng.choice(("first", "first", "last", "neither"))
    server = _OddScram(rng, odd=odd == "first")
    yield [authentication(10, rng.choice(_LISTS))]
    _kind, body = peer.last
    yield [authentication(11, server.answer_first(body.partition(b"\0")[2][4:]))]
    _kind, body = peer.last
    final = server.answer_final(body)
    final = _final(final, rng) if odd == "last" else final
    yield [authentication(rng.choice((12, 12, 12, 11)), final), authentication(0), *_WELCOME]


def _by(*asked: bytes) -> Callable[[Peer, random.Random], Iterator[list[bytes]]]:
    def login(_peer: Peer, _rng: random.Random) -> Iterator[list[bytes]]:
        yield from ([one] for one in asked)
        yield [authentication(0), *_WELCOME]

    return login


_LOGINS = (_by(), _by(authentication(3)), _by(authentication(5, b"salt")), _scram, _scram, _scram)

# ---- and what is odd in it

_ODD = (
    *(authentication(code) for code in (0, 2, 3, 6, 7, 9, 99)),
    *(authentication(code, b"abc") for code in (0, 3, 5, 8)),
    *(authentication(12, body) for body in (b"v=AAAA", b"", b"e=no")),
    authentication(11, b"r=a,s=b,i=1"),
    *(
        authentication(10, names)
        for names in (
            b"",
            b"\0",
            b"SCRAM-SHA-1\0\0",
            b"SCRAM-SHA-256",
            b"\0SCRAM-SHA-256\0\0",
            b"OAUTHBEARER\0\0",
            b"OAUTHBEARER\0SCRAM-SHA-256\0\0",
            b"SCRAM-SHA-256\0OAUTHBEARER\0\0",
            b"SCRAM-SHA-256-PLUS\0\0",
            b"SCRAM-SHA-256\0SCRAM-SHA-256\0\0rest",
        )
    ),
    *(message(b"R", body) for body in (b"", b"\0\0")),
    *(message(b"A", body) for body in (b"\0\0\0\1a\0b\0", b"\0\0\0\1a\0", b"\0\0\0\1a\0b\0c", b"")),
    *(message(b"N", body) for body in (b"\0", b"", b"Mx", b"Mx\0", b"Mx\0\0y", b"M\0\0", b"\0\0")),
    *(message(b"E", body) for body in (b"\0", b"", b"Mx", b"Mx\0", b"SFATAL\0C28000\0Mx\0\0")),
    *(message(b"Z", body) for body in (b"I", b"X", b"", b"II")),
    *(message(b"S", body) for body in (b"a\0", b"a\0b\0c\0", b"\0\0", b"server_version\0x\0", b"")),
    *(message(b"K", bytes(size)) for size in (4, 8, 12, 40)),
    *(message(kind, b"x" * 29_996) for kind in (b"S", b"K", b"C")),
    *(message(kind, b"M" + b"x" * 29_995 + b"\0\0") for kind in (b"N", b"E")),
    message(b"S", b"a\0" + b"x" * 29_993 + b"\0"),
    message(b"S", b"a\0" + b"x" * 29_994 + b"\0"),
    message(b"v", struct.pack("!ii", 196608, 0)),
    message(b"v", struct.pack("!ii", 196608, 1) + b"_pq_.x\0"),
    *(message(kind, b"\0\0\0") for kind in (b"H", b"G", b"W", b"C", b"I", b"T", b"n", b"?")),
    error(S="FATAL", C="57P03", M="the database system is starting up"),
    b"\0\0\0\0\0",
    b"EFATAL:  old\n\0",
)


def _odd(messages: list[bytes], rng: random.Random) -> list[bytes]:
    if rng.random() < 0.3:
        return mutated_messages(messages, rng)
    at = rng.randrange(len(messages) + 1)
    behind = at + (rng.random() < 0.3)
    return [*messages[:at], rng.choice(_ODD), *messages[behind:]]


def _conversation(seed: int, patience: float) -> Script:
    """A server that logs somebody in, and does something odd on the way."""

    def script(peer: Peer) -> None:
        rng = random.Random(seed)
        login = rng.choice(_LOGINS)
        odd_at = rng.randrange(-3 if login is _scram else 0, 3)
        peer.read_startup()
        peer.send(b"S")
        peer.sock = _CONTEXT.wrap_socket(peer.sock, server_side=True)
        peer.sock.settimeout(patience)
        peer.read_startup()
        with contextlib.suppress(IndexError, KeyError):  # the client says something else than SCRAM
            for stage, answer in enumerate(login(peer, rng)):
                peer.send(b"".join(_odd(answer, rng) if stage == odd_at else answer))
                peer.last = peer.read_message()
                if peer.last[0] in b"XQ":
                    break
        peer.send(b"".join(_ANSWER) if peer.last[0] == b"Q" else b"")
        peer.receive()

    return script


@pytest.mark.parametrize("number", range(_SHARES))
def test_fuzzed_logins_succeed_where_libpqs_do(number: int) -> None:
    """Whatever a server does on the way, both get in, or neither, or the probe is stricter."""
    for seed in range(number, _CASES, _SHARES):
        why = None
        for patience in _PATIENCE:
            script = partial(_conversation, seed, patience)
            if (why := _disagreement(*_asked(script))) is None:
                break
        assert why is None, f"case {seed}: {why}"


# ---- what it has found


def _welcomed_with(*odd: bytes, begin: bytes = authentication(0)) -> Script:
    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.sock = _CONTEXT.wrap_socket(peer.sock, server_side=True)
        peer.read_startup()
        peer.send(b"".join((begin, *odd, *_WELCOME)))
        peer.read_message()
        peer.send(b"".join(_ANSWER))
        peer.receive()

    return script


@pytest.mark.parametrize(
    "odd",
    [
        message(b"A", b"\0\0\0\1channel\0payload"),
        message(b"A", b"\0"),
        message(b"N", b""),
        message(b"N", b"Mx"),
        message(b"N", b"Mx\0"),
        message(b"N", b"Mx\0\0y"),
        message(b"S", b"a\0" + b"x" * 29_994 + b"\0"),
    ],
)
def test_what_passes_by_is_what_it_says(odd: bytes) -> None:
    """An invalid notice or notification, or a setting too long for libpq, ends the login."""
    report, said = _asked(lambda: _welcomed_with(odd))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


@pytest.mark.parametrize("rest", [b"x", b"\0", b"SCRAM-SHA-256-PLUS\0\0"])
def test_nothing_follows_a_list_of_mechanisms(rest: bytes) -> None:
    """What stands behind its end is the beginning of a message for libpq."""
    odd = authentication(10, b"SCRAM-SHA-256\0\0" + rest)
    report, said = _asked(lambda: _welcomed_with(begin=odd))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    "usual",
    [
        message(b"A", b"\0\0\0\1channel\0payload\0"),
        message(b"A", b"\0\0\0\1\0\0"),
        message(b"N", b"\0"),
        message(b"N", b"SNOTICE\0M" + b"x" * 40_000 + b"\0\0"),
        message(b"S", b"a\0" + b"x" * 29_993 + b"\0"),
    ],
)
def test_what_libpq_passes_over_is_passed_over(usual: bytes) -> None:
    """However little, or much, is in it."""
    report, said = _asked(lambda: _welcomed_with(usual))
    assert (report.passed, said.connected) == (True, True)


def _with_scram(
    first: Callable[[bytes], bytes] = bytes, *, ends: Callable[[bytes], list[bytes]]
) -> Script:
    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.sock = _CONTEXT.wrap_socket(peer.sock, server_side=True)
        peer.read_startup()
        server = _OddScram(random.Random(0), odd=False)
        peer.send(authentication(10, _LISTS[1]))
        _kind, body = peer.read_message()
        client_first = body.partition(b"\0")[2][4:]
        said = first(server.answer_first(client_first)).decode()
        _nonce, salt, iterations = said.split(",")[:3]
        server._compute_with(client_first, said, salt, iterations)
        peer.send(authentication(11, said.encode()))
        _kind, body = peer.read_message()
        peer.send(b"".join((*ends(server.answer_final(body)), authentication(0), *_WELCOME)))
        peer.read_message()
        peer.send(b"".join(_ANSWER))
        peer.receive()

    return script


def _once(final: bytes) -> list[bytes]:
    return [authentication(12, final)]


@pytest.mark.parametrize(
    "first",
    [
        lambda said: said.replace(b"i=4096", b"i=+4096"),
        lambda said: said.replace(b"i=4096", b"i= 4096"),
        lambda said: said.replace(b"i=4096", b"i=4096,x=1"),
        lambda said: said.replace(b"server,", b","),
        lambda said: said.replace(b"server,", "é,".encode()),
        lambda said: b",".join((said.split(b",")[0], b"s=", said.split(b",")[2])),
    ],
)
def test_what_libpq_reads_in_scram_is_read(first: Callable[[bytes], bytes]) -> None:
    """A count as ``strtol`` reads it, a nonce that nothing was added to, a salt that is empty."""
    report, said = _asked(lambda: _with_scram(first, ends=_once))
    assert (report.passed, said.connected) == (True, True)


@pytest.mark.parametrize(
    "ends",
    [
        lambda final: [authentication(12, final)] * 2,
        lambda final: [authentication(12, final), authentication(11, b"r=a,s=b,i=1")],
        lambda final: [authentication(12, final + b",x=\0")],
    ],
)
def test_scram_ends_once(ends: Callable[[bytes], list[bytes]]) -> None:
    """And nothing is hidden behind a NUL in its messages."""
    report, said = _asked(lambda: _with_scram(ends=ends))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


def test_the_last_message_of_scram_is_known_by_its_place() -> None:
    """libpq does not mind under which number it comes."""
    report, said = _asked(lambda: _with_scram(ends=lambda final: [authentication(11, final)]))
    assert (report.passed, said.connected) == (True, True)
