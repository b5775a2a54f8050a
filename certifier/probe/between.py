"""Whether something ends our TLS before PostgreSQL does, and whether it is a pooler. Pure."""

import re
from dataclasses import dataclass

from certifier.evidence import Evidence, LoginFacts, TlsFacts
from certifier.rds_names import rds_name

_A_TUNNEL = "; the server process is the one that took our login, so a tunnel or proxy ends TLS"
_A_POOLER = "; another server process answers than took our login, so a pooler ends TLS"
_REMEDY_OF_A_TUNNEL = (
    "What is behind the tunnel was not verified: let it verify the server (in stunnel verifyChain, "
    "checkHost and CAfile, in HAProxy `ssl verify required ca-file` on the server line), or point "
    "the source at PostgreSQL itself. Change data capture works through it."
)
# PostgreSQL 11 and newer offers SCRAM-SHA-256-PLUS to whoever has TLS with it: every build with
# OpenSSL 1.0.2 and newer has what it takes (be_tls_get_certificate_hash).
_BINDS_SINCE = 11
_MAJOR = re.compile(r"\d{1,4}")


@dataclass(frozen=True)
class Between:
    """What shows that TLS ends before PostgreSQL; ``remedy`` where the usual one is not right."""

    seen: str
    remedy: str | None = None


def differs(login: LoginFacts, version: str | None, cipher: str | None) -> bool:
    """Whether the server's own row in ``pg_stat_ssl`` is of another TLS connection than ours."""
    if login.session_ssl is not True:
        return login.session_ssl is False
    own = (login.session_version, login.session_cipher)
    return None not in own and own != (version, cipher)


def ends_before(evidence: Evidence) -> Between | None:
    """What shows that something ends TLS before PostgreSQL; ``None``: nothing does."""
    login, tls = evidence.login, evidence.tls
    if login is None or tls is None:
        return None
    if differs(login, tls.version, tls.cipher):
        return _server_says_why(login, tls)
    name = rds_name(evidence.host)
    if name is not None and name.is_proxy:
        return Between(f"{evidence.host} is an RDS Proxy, which ends TLS")
    major = _MAJOR.match(login.server_version or "")
    if login.method == "scram-sha-256" and major is not None and int(major[0]) >= _BINDS_SINCE:
        return Between(
            "SCRAM is offered without channel binding, which PostgreSQL"
            f" {login.server_version} offers wherever TLS is its own: something in front ends TLS"
        )
    return None


def _server_says_why(login: LoginFacts, tls: TlsFacts) -> Between:
    seen = "our connection has TLS, and the server says that this session has none"
    if login.session_ssl:
        seen = (
            f"our connection has {tls.version} with {tls.cipher}, and the server says that this"
            f" session has {login.session_version} with {login.session_cipher}"
        )
    if login.pooler is not None:
        return Between(f"{seen}; {login.pooler} answers for it, a pooler")
    through = login.same_process
    return Between(
        seen + {None: "", True: _A_TUNNEL, False: _A_POOLER}[through],
        _REMEDY_OF_A_TUNNEL if through else None,
    )
