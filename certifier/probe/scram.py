"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), as strict as libpq and no stricter.

pg8000's own (scramp) refuses what libpq takes, such as fewer than 4096 iterations, and does not
tell the server that it could have bound the channel, by which a server notices that somebody in
between has taken that offer away.
"""

import base64
import hashlib
import hmac
import re
import secrets

from certifier.probe.bounds import Allowance
from certifier.probe.failure import StageFailed
from certifier.vocabulary import Cause, Severity, Stage

BOUND, UNBOUND = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
"""The mechanisms, with and without channel binding (RFC 5802, section 4)."""

_ITERATIONS_LIMIT = 600_000  # what OWASP asks for
_ITERATIONS_A_SECOND = 2_400_000  # about
_ITERATIONS_USUAL = 4096
_FIRST = re.compile(rb"r=([^,\0]*),s=([^,\0]*),i=([^,\0]*)(?:,[^\0]*)?")
_FINAL = re.compile(rb"([ev])=([^,\0]*)(?:,[^\0]*)?")
_NUMBER = re.compile(rb"[ \t\n\v\f\r]*\+?0*([0-9]{1,12})")  # strtol's, as far as it is of use here


class Scram:
    """One exchange: `first`, then `final`, then `check`. The last two raise StageFailed.

    `proved`: whether the server has shown that it knows the password.
    """

    def __init__(
        self, password: bytes, binding: bytes | None, *, verified: bool, allowance: Allowance
    ) -> None:
        """Begin.

        Args:
            password: prepared (SASLprep).
            binding: tls-server-end-point's hash; None not to bind the channel.
            verified: whether it is known whom we talk to. To anybody else, the work of guessing the
                password from our answer is not made less than usual.
            allowance: what the server may still cost.
        """
        self._password = password
        self._allowance = allowance
        self._least = 1 if verified else _ITERATIONS_USUAL
        self._header = b"y,," if binding is None else b"p=tls-server-end-point,,"
        self._bound = self._header + (binding or b"")
        self._nonce = _text(secrets.token_bytes(18))
        self._signature = b""
        self.proved = False

    @property
    def answered(self) -> bool:
        """Whether the server was given our proof."""
        return bool(self._signature)

    def first(self) -> bytes:
        """The client-first message. PostgreSQL reads the user from the startup packet alone."""
        return self._header + self._bare()

    def _bare(self) -> bytes:
        return f"n=,r={self._nonce}".encode()

    def final(self, server_first: bytes) -> bytes:
        """The client-final message."""
        found = _FIRST.fullmatch(server_first)
        if found is None:
            raise _malformed("the server's first message is none", "malformed SCRAM message")
        nonce, salt, iterations = found.groups()
        if not nonce.startswith(self._nonce.encode()):
            raise _malformed(
                "the server's nonce does not extend ours",
                "invalid SCRAM response (nonce mismatch)",
            )
        rounds, salted_with = self._rounds(iterations), _bytes(salt)
        with self._allowance.known_work(rounds / _ITERATIONS_A_SECOND, Stage.LOGIN):
            salted = hashlib.pbkdf2_hmac("sha256", self._password, salted_with, rounds)
        without_proof = b"c=" + _text(self._bound).encode() + b",r=" + nonce
        said = b",".join((self._bare(), server_first, without_proof))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        proof = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")
        mixed = bytes(a ^ b for a, b in zip(client_key, proof, strict=True))
        return without_proof + b",p=" + _text(mixed).encode()

    def check(self, server_final: bytes) -> None:
        """Whether the server knows the password too."""
        found = _FINAL.fullmatch(server_final)
        if found is None:
            raise _malformed("the server's last message is none", "malformed SCRAM message")
        if found[1] == b"e":
            said = found[2].decode("utf-8", "replace")
            raise StageFailed(
                Stage.LOGIN,
                Cause.PASSWORD_REJECTED,
                f"the server ended SCRAM with the error {said[:100]}",
                raw=found[0].decode("utf-8", "replace"),
                libpq=f"error received from server in SCRAM exchange: {said}",
            )
        signature = _bytes(found[2])
        if len(signature) != hashlib.sha256().digest_size:
            raise _malformed(
                f"the server's signature has {len(signature)} bytes",
                "malformed SCRAM message (invalid server signature)",
            )
        if not hmac.compare_digest(signature, self._signature):
            raise unproven()
        self.proved = True

    def _rounds(self, text: bytes) -> int:
        known = _NUMBER.fullmatch(text)
        rounds = int(known[1]) if known else 0
        if not 0 < rounds <= _ITERATIONS_LIMIT:
            shown = text[:24].decode("ascii", "backslashreplace")
            raise _malformed(
                f"the server asks for {shown or 'no'} SCRAM iterations;"
                f" at most {_ITERATIONS_LIMIT} are computed",
                None if rounds else "malformed SCRAM message (invalid iteration count)",
            )
        if rounds < self._least:
            raise StageFailed(
                Stage.LOGIN,
                Cause.UNSAFE_PASSWORD_REQUEST,
                f"the server asks for SCRAM with {rounds} iterations, which are soon guessed, on a"
                " connection that is not verified in full; it was not answered",
            )
        return rounds


def unproven() -> StageFailed:
    """The failure of a server that does not show that it knows the password."""
    return StageFailed(
        Stage.LOGIN,
        Cause.UNSAFE_PASSWORD_REQUEST,
        "the server did not prove that it knows the password: somebody else may be answering",
        libpq="incorrect server signature",
        severity=Severity.ERROR,
    )


def _bytes(text: bytes) -> bytes:
    """What base64 holds."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _malformed(
            "the server's salt or proof is not base64", "malformed SCRAM message"
        ) from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _malformed(seen: str, libpq: str | None) -> StageFailed:
    return StageFailed(Stage.LOGIN, Cause.PROTOCOL_VIOLATION, seen, libpq=libpq)
