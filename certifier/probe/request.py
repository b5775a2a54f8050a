"""What a probe is asked: a host, how strictly, with which trust, and where it may go."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from certifier.models import Fact, Policy
from certifier.vocabulary import SslMode

IpAddress = IPv4Address | IPv6Address

TLS_VERSIONS = ("1.0", "1.1", "1.2", "1.3")
_METADATA = ip_network("fd00:ec2::/32")  # the instance metadata and DNS services over IPv6
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_THIS_NETWORK = ip_network("0.0.0.0/8")
# Ranges that hide an IPv4 address in a place, or in a way, that only their operator knows.
_HIDING = (
    ip_network("::/96"),  # IPv4-compatible (RFC 4291 2.5.5.1)
    ip_network("64:ff9b:1::/48"),  # local NAT64 (RFC 8215)
    ip_network("2001::/32"),  # Teredo (RFC 4380)
)


class AddressPolicy(Fact):
    """Where a probe may connect to. The default is the one for AWS; `anywhere` is for a laptop.

    Attributes:
        local: whether loopback, link-local, metadata, unspecified and multicast addresses are
            allowed.
        hosts: patterns (``*.db.example.com``) that the host must match one of; empty for any.
        ports: the allowed ports; empty for any.
    """

    local: bool = False
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    @classmethod
    def anywhere(cls) -> "AddressPolicy":
        """The policy of the command line and the sandbox: any host, any port, loopback too."""
        return cls(local=True)

    def objection_to_host(self, host: str, port: int) -> str | None:
        """Why this host and port may not be probed; None when they may."""
        if self.hosts and not any(fnmatchcase(host.lower(), p.lower()) for p in self.hosts):
            return f"host {host!r} matches none of the allowed patterns: {', '.join(self.hosts)}"
        if self.ports and port not in self.ports:
            allowed = ", ".join(map(str, self.ports))
            return f"port {port} is none of the allowed ports: {allowed}"
        return None

    def objection_to_address(self, address: str) -> str | None:
        """Why this numeric address may not be connected to; None when it may."""
        if self.local:
            return None
        found = _unwrapped(ip_address(address.partition("%")[0]))
        for kind, forbidden in (
            ("loopback", found.is_loopback),
            ("link-local", found.is_link_local),
            ("unspecified", found.is_unspecified),
            ("multicast", found.is_multicast),
            ("reserved", found.is_reserved or (found.version == 6 and found.is_site_local)),
            ("metadata", found in _METADATA),
            ("this-network", found in _THIS_NETWORK),
            ("translated", any(found in network for network in _HIDING)),
        ):
            if forbidden:
                return f"{address} is a {kind} address, and those are not probed from here"
        return None


def _unwrapped(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 one that reaches it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour:
            return address.sixtofour
    return address


@dataclass(frozen=True)
class ProbeRequest:
    """One probe. Raises ValueError, naming the field, for values that no probe could use.

    Attributes:
        host: the name that is verified, and dialled unless `address` is given.
        address: an IP address to dial instead of resolving `host`.
        user: without one, the probe stops after TLS.
        password: called at most once, only when a password may be sent; its answer is never kept.
        ca_bundle: the content of the CA file, like libpq's ``sslrootcert``; None for no file.
        system_trust: verify against the CAs of this system instead (``sslrootcert=system``, which
            libpq 16 and newer take, in verify-full alone). ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
            count, as they do for OpenSSL.
        crl: the content of a CRL file, like libpq's ``sslcrl``; None for no file.
        crl_folder: a folder with lists and their hashed names, like libpq's ``sslcrldir``.
        min_tls, max_tls: ``"1.0"`` to ``"1.3"``. libpq's own default is at least 1.2.
        timeout: seconds for everything together, name resolution included.
        intended_leaf_sha256: hex digest of the certificate that the server is meant to serve.
        negotiation: how TLS begins: after PostgreSQL's own request, or ``direct``, from the first
            byte (``sslnegotiation``, libpq 17 and newer).
        older_clients: also look as libpq 13 and older do, without a server name (on a connection of
            its own), and compare.
        probe_plaintext: also ask, on a connection of its own, whether the server takes plain text.
        certificate_policy: what findings about the served certificates go by.
    """

    host: str
    port: int = 5432
    address: str | None = None
    database: str | None = None
    user: str | None = None
    password: Callable[[], str] | None = field(default=None, repr=False)
    ssl_mode: SslMode = SslMode.VERIFY_FULL
    ca_bundle: bytes | None = field(default=None, repr=False)
    system_trust: bool = False
    crl: bytes | None = field(default=None, repr=False)
    crl_folder: str | None = None
    min_tls: str | None = None
    max_tls: str | None = None
    timeout: float = 10.0
    intended_leaf_sha256: str | None = None
    negotiation: Literal["postgres", "direct"] = "postgres"
    older_clients: bool = False
    probe_plaintext: bool = False
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    certificate_policy: Policy = field(default_factory=Policy)

    @property
    def verifies(self) -> bool:
        """Whether there is anything to verify against."""
        return self.ca_bundle is not None or self.system_trust

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not between 1 and 65535")
        if not 0 < self.timeout <= 3600:
            raise ValueError(f"timeout: {self.timeout} is not above 0 and at most 3600 seconds")
        if self.address is not None:
            try:
                ip_address(self.address.partition("%")[0])
            except ValueError:
                raise ValueError(f"address: {self.address!r} is not an IP address") from None
        self._check_tls()
        if self.user == "":
            raise ValueError("user: is empty; without a user, leave it out")
        for name in ("user", "database"):
            if "\0" in (getattr(self, name) or ""):
                raise ValueError(f"{name}: contains a NUL")

    def _check_tls(self) -> None:
        for name in ("min_tls", "max_tls"):
            value = getattr(self, name)
            if value is not None and value not in TLS_VERSIONS:
                allowed = ", ".join(TLS_VERSIONS)
                raise ValueError(f"{name}: {value!r} is not a TLS version; allowed are {allowed}")
        if self.min_tls and self.max_tls and self.min_tls > self.max_tls:
            raise ValueError(f"min_tls: {self.min_tls} is above max_tls, {self.max_tls}")
        if self.system_trust and self.ca_bundle is not None:
            raise ValueError("ca_bundle: the CAs of the system were asked for as well")
        if self.negotiation == "direct" and self.ssl_mode is SslMode.NONE:
            raise ValueError("negotiation: direct begins with TLS, and ssl_mode is none")
