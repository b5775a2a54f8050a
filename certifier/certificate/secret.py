"""The names under which people keep a pair and its CA in a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.vocabulary import Cause, Witness

SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # ours, then cert-manager's, PostgreSQL's, certbot's
        "certificate": ("certificate", "tls.crt", "server.crt", "fullchain.pem", "cert.pem"),
        "private_key": ("private_key", "tls.key", "server.key", "privkey.pem"),
        "chain": ("chain", "chain.pem"),
        "ca": ("ca", "ca.crt", "root.crt"),
    }
)
"""For each part, the keys that a secret may hold it under."""

_INCLUDES: Final = {"cert.pem": "fullchain.pem"}  # certbot writes both; the second holds the first


@dataclass(frozen=True)
class SecretParts:
    """What a secret holds of a pair. None of it is part of ``repr``: a key may stand in any place.

    Attributes:
        certificate, private_key, chain, ca: as they are, unread; ``None`` when no key names them.
        findings: keys whose value is not text.
    """

    certificate: bytes | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)
    chain: bytes | None = field(default=None, repr=False)
    ca: bytes | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()

    def missing(self, secret: str) -> tuple[Finding, ...]:
        """Return what is missing to be a pair, with the keys that would be understood.

        ``secret`` is the secret's name or ARN.
        """
        return tuple(
            finding(
                Cause.SECRET_INCOMPLETE,
                place=Witness.INTAKE,
                seen=f"the secret {secret} has no {part.replace('_', ' ')};"
                f" keys that are understood: {', '.join(SECRET_KEYS[part])}",
            )
            for part, value in (
                ("certificate", self.certificate),
                ("private_key", self.private_key),
            )
            if value is None
        )


def material_from_secret(secret: Mapping[str, object]) -> SecretParts:
    """Find certificate, private key, chain and CA in a secret's JSON, under any usual name.

    A part under several names is all of them together: which of two certificates or keys is meant
    is for the intake to decide. Chain and CA that are empty count as not given.
    """
    parts: dict[str, bytes] = {}
    findings = []
    for part, names in SECRET_KEYS.items():
        texts = []
        for name in names:
            value = secret.get(name)
            if value is None or _INCLUDES.get(name) in secret:
                continue
            if isinstance(value, str):
                texts.append(value)
            else:
                findings.append(
                    finding(
                        Cause.SECRET_INCOMPLETE,
                        place=Witness.INTAKE,
                        seen=f"the value of {name} in the secret is not text; it must be PEM",
                    )
                )
        text = "\n".join(dict.fromkeys(texts))
        if texts and (text.strip() or part in ("certificate", "private_key")):
            parts[part] = text.encode("utf-8", "surrogatepass")
    return SecretParts(**parts, findings=tuple(findings))
