"""The certificate that a server serves, whoever signed it."""

from __future__ import annotations

import socket
import ssl
import struct

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def served_leaf(host: str, port: int) -> bytes | None:
    """The leaf that the server there serves, DER; None when it refuses TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(_SSL_REQUEST)
        if raw.recv(1) != b"S":
            return None
        with context.wrap_socket(raw) as wrapped:
            return wrapped.getpeercert(binary_form=True)
