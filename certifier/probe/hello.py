"""Reading along in a TLS handshake, before OpenSSL does: how costly is what the server asks for?

Everything else in a handshake costs OpenSSL a few milliseconds at most. Diffie-Hellman over a large
prime field takes seconds, the server chooses the field, and no option of OpenSSL's limits it. What
tells of it is in plain text: the group in ServerHello (RFC 8446, section 4.2.8), and the prime in
ServerKeyExchange (RFC 5246, section 7.4.3).
"""

from collections.abc import Callable, Iterator

from certifier.probe.failure import StageFailed
from certifier.vocabulary import Cause, Stage

PRIME_BITS = 4096
_CHANGE, _HANDSHAKE, _SECRET = 20, 22, 23
_SERVER_HELLO, _CERTIFICATE, _SERVER_KEY_EXCHANGE = 2, 11, 12
_KEY_SHARE = 51
# Finite-field groups above 3072 bits, which libpq's OpenSSL (3.5) does not offer. RFC 7919.
_LARGE_GROUPS = {0x0102: "ffdhe4096", 0x0103: "ffdhe6144", 0x0104: "ffdhe8192"}


class Preview:
    """What of the handshake is in plain text, put together from the blocks that arrive.

    `accepted`: the server has gone on after what the client offered, to its certificate.
    """

    def __init__(self, prime_field_suites: Callable[[], frozenset[int]]) -> None:
        """`prime_field_suites` gives the numbers of the suites whose key exchange is DHE."""
        self._prime_field_suites = prime_field_suites
        self._suite: int | None = None
        self._records = bytearray()
        self._messages = bytearray()
        self._over = False
        self.accepted = False

    def read(self, block: bytes) -> None:
        """Look at the next bytes of the server. Raises StageFailed for what is too costly."""
        if self._over:
            return
        self._records += block
        for kind, body in self._complete_records():
            # In TLS 1.3 a ChangeCipherSpec may stand anywhere, and means nothing.
            self.accepted |= kind == _SECRET
            self._over = self.accepted and kind in (_CHANGE, _SECRET)
            if self._over:
                return
            if kind == _HANDSHAKE:
                self._messages += body
                for message, content in self._complete_messages():
                    self._judge(message, content)

    def _complete_records(self) -> Iterator[tuple[int, bytes]]:
        while len(self._records) >= 5:
            end = 5 + int.from_bytes(self._records[3:5], "big")
            if len(self._records) < end:
                return
            kind, body = self._records[0], bytes(self._records[5:end])
            del self._records[:end]
            yield kind, body

    def _complete_messages(self) -> Iterator[tuple[int, bytes]]:
        begin = 0
        while len(self._messages) - begin >= 4:
            end = begin + 4 + int.from_bytes(self._messages[begin + 1 : begin + 4], "big")
            if len(self._messages) < end:
                break
            kind = self._messages[begin]
            self.accepted |= kind == _CERTIFICATE
            if kind in (_SERVER_HELLO, _SERVER_KEY_EXCHANGE):
                yield kind, bytes(self._messages[begin + 4 : end])
            begin = end
        del self._messages[:begin]

    def _judge(self, kind: int, content: bytes) -> None:
        if kind == _SERVER_HELLO:
            self._suite, group = _chosen(content)
            if group in _LARGE_GROUPS:
                raise StageFailed(
                    Stage.TLS,
                    Cause.TLS_NO_SHARED_CIPHER,
                    f"the server insists on the group {_LARGE_GROUPS[group]}, which libpq's OpenSSL"
                    " does not offer any more",
                    libpq="SSL error: ssl/tls alert handshake failure",
                )
        else:
            bits = 8 * int.from_bytes(content[:2], "big")
            if bits > PRIME_BITS and self._suite in self._prime_field_suites():
                raise StageFailed(
                    Stage.TLS,
                    Cause.TLS_FAILED,
                    f"the server asks for Diffie-Hellman with a prime of {bits} bits, which takes"
                    f" seconds; at most {PRIME_BITS} are computed here",
                )


def _chosen(hello: bytes) -> tuple[int | None, int | None]:
    """The cipher suite of a ServerHello, and the group of its key share, as far as they are there.

    RFC 8446, section 4.1.3: version, random, session id, suite, compression, extensions. What is
    malformed is OpenSSL's to refuse.
    """
    at = 35 + (hello[34] if len(hello) > 34 else 0)
    if len(hello) < at + 2:
        return None, None
    suite = int.from_bytes(hello[at : at + 2], "big")
    at += 5
    while at + 4 <= len(hello):
        kind, size = int.from_bytes(hello[at : at + 2], "big"), hello[at + 2 : at + 4]
        at += 4
        if kind == _KEY_SHARE:
            return suite, int.from_bytes(hello[at : at + 2], "big")
        at += int.from_bytes(size, "big")
    return suite, None
