"""What the versions of libpq differ on. Nobody knows for sure which one DMS was built with.

What all of them agree on is a verdict. What they differ on is a finding that says which version
does what: a source is not refused for it alone, the rehearsal in DMS decides. One row a difference;
``docs/decisions/0007-libpq-versions.md`` has the same rows, and what is believed about DMS.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.probe.dial import name_too_long
from certifier.probe.request import ProbeRequest
from certifier.probe.seen import Observations, OlderSeen
from certifier.vocabulary import Cause, SslMode, Stage, Witness

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """One thing that an older libpq does in another way.

    Attributes:
        since: the first major that does it the new way.
        newer, older: what each does; "libpq 14 and newer" goes on with it.
        source: where libpq does it, in ``src/interfaces/libpq``.
        shown: what a probe saw of it; None where it makes no difference.
        cause: of the finding.
    """

    name: str
    since: int
    newer: str
    older: str
    source: str
    shown: Callable[[ProbeRequest, Observations], str | None]
    cause: Cause = Cause.CLIENT_READING_DIFFERS


def findings(request: ProbeRequest, seen: Observations) -> Iterator[Finding]:
    """One finding for each difference that this server, or this request, brings out."""
    for row in DIFFERENCES:
        shown = row.shown(request, seen)
        if shown is not None:
            yield finding(
                row.cause,
                place=Witness.PROBE,
                seen=f"{shown}: libpq {row.since} and newer {row.newer}; libpq {row.since - 1} and"
                f" older {row.older}",
                stage=Stage.TLS,
            )


def _alpn(_request: ProbeRequest, seen: Observations) -> str | None:
    refused = seen.alpn_refused
    return f"TLS succeeds only without ALPN ({refused.seen})" if refused else None


def _direct(request: ProbeRequest, _seen: Observations) -> str | None:
    return "TLS begins with the first byte" if request.negotiation == "direct" else None


def _system(request: ProbeRequest, _seen: Observations) -> str | None:
    return "the CAs of the system are trusted" if request.system_trust else None


def _addresses(request: ProbeRequest, seen: Observations) -> str | None:
    if seen.match is None or seen.match.matched == seen.match.older_libpq:
        return None
    verb = "accepts" if seen.match.older_libpq else "does not accept"
    return f"libpq 14 and older {verb} this certificate for {request.host}"


def _server_name(request: ProbeRequest, seen: Observations) -> str | None:
    older = seen.older
    if older is None:
        return None
    if older.leaf is None:
        failure = older.failure
        return f"without a server name there is no TLS ({failure.seen})" if failure else None
    if older.leaf == seen.leaf:
        return None
    spelled = older.names.spelled() if older.names else ()
    names = ", ".join(spelled[:_NAMES_SHOWN]) or "nothing"
    then = _reading(request, older)
    return f"without a server name, the certificate that is served names {names}, and {then}"


def _reading(request: ProbeRequest, older: OlderSeen) -> str:
    """What the mode says of the certificate that an older client is shown."""
    mode = request.ssl_mode
    if older.failure is not None:
        return f"the chain does not verify ({older.failure.seen})"
    if mode is SslMode.VERIFY_FULL and not (older.match and older.match.older_libpq):
        return f"{mode} fails, since that is not {request.host}"
    return f"{mode} passes with it too"


def _long_name(request: ProbeRequest, _seen: Observations) -> str | None:
    if request.address is None or not name_too_long(request.host):  # DNS has no such name
        return None
    return "the host is longer than a server name"


def _old_tls(_request: ProbeRequest, seen: Observations) -> str | None:
    return f"the server speaks {seen.old_tls} at most" if seen.old_tls else None


DIFFERENCES = (
    Difference(
        name="ALPN",
        since=17,
        newer="offer the protocol name postgresql in TLS, and do not connect",
        older="offer none, and connect",
        source="fe-secure-openssl.c, initialize_SSL: SSL_set_alpn_protos",
        shown=_alpn,
    ),
    Difference(
        name="direct TLS",
        since=17,
        newer="can do that (sslnegotiation=direct)",
        older="always ask for TLS first",
        source="fe-connect.c, PQconnectPoll: sslnegotiation",
        shown=_direct,
    ),
    Difference(
        name="system trust",
        since=16,
        newer="can do that (sslrootcert=system)",
        older="take system for the name of a file",
        source="fe-secure-openssl.c, initialize_SSL: SSL_CTX_set_default_verify_paths",
        shown=_system,
    ),
    Difference(
        name="IP addresses",
        since=15,
        newer="compare an address with the addresses in the certificate",
        older="know no IP addresses in certificates",
        source="fe-secure-common.c, pq_verify_peer_name_matches_certificate_ip",
        shown=_addresses,
        cause=Cause.HOSTNAME_READING_DIFFERS,
    ),
    Difference(
        name="server name",
        since=14,
        newer="send the host as server name (SNI)",
        older="send none",
        source="fe-secure-openssl.c, initialize_SSL: SSL_set_tlsext_host_name",
        shown=_server_name,
    ),
    Difference(
        name="length of the server name",
        since=14,
        newer="cannot send it, and fail in every mode",
        older="send none, and connect",
        source="fe-secure-openssl.c, initialize_SSL; OpenSSL's TLSEXT_MAXLEN_host_name",
        shown=_long_name,
    ),
    Difference(
        name="minimum TLS version",
        since=13,
        newer="want TLS 1.2 at least, unless ssl_min_protocol_version says otherwise",
        older="connect, as far as their OpenSSL lets them",
        source="fe-connect.c, PQconninfoOptions: ssl_min_protocol_version",
        shown=_old_tls,
    ),
)
