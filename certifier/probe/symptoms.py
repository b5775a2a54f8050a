"""Which cause a symptom of TLS or of PostgreSQL stands for: tables, and nothing but tables.

OpenSSL's verify codes are those of ``openssl/x509_vfy.h``, its reasons those of
``openssl/sslerr.h``, SQLSTATEs those of PostgreSQL's appendix A. What is in no table is ``None``:
the caller falls back to its stage's general cause, and the raw text stays beside it.
"""

from certifier.outcome import Cause

# X509_V_ERR_*: what ends the verification of a chain.
VERIFY_CODES: dict[int, Cause] = {
    2: Cause.UNKNOWN_AUTHORITY,  # a CA of the bundle whose own issuer is not there
    3: Cause.CRL_UNAVAILABLE,
    4: Cause.SIGNATURE_INVALID,
    5: Cause.CRL_UNAVAILABLE,
    6: Cause.CERTIFICATE_REJECTED,
    7: Cause.SIGNATURE_INVALID,
    8: Cause.CRL_UNAVAILABLE,
    9: Cause.CERTIFICATE_NOT_YET_VALID,
    10: Cause.CERTIFICATE_EXPIRED,
    11: Cause.CRL_UNAVAILABLE,
    12: Cause.CRL_UNAVAILABLE,
    15: Cause.CRL_UNAVAILABLE,
    16: Cause.CRL_UNAVAILABLE,
    18: Cause.SELF_SIGNED,
    19: Cause.UNKNOWN_AUTHORITY,
    20: Cause.UNKNOWN_AUTHORITY,  # or chain_incomplete: `judge` looks which
    21: Cause.UNKNOWN_AUTHORITY,
    23: Cause.CERTIFICATE_REVOKED,
    26: Cause.CERTIFICATE_WRONG_PURPOSE,
    33: Cause.CRL_UNAVAILABLE,
    35: Cause.CRL_UNAVAILABLE,
    36: Cause.CRL_UNAVAILABLE,
    44: Cause.CRL_UNAVAILABLE,
    54: Cause.CRL_UNAVAILABLE,
    66: Cause.CERTIFICATE_WEAK,
    67: Cause.CERTIFICATE_WEAK,
    68: Cause.CERTIFICATE_WEAK,
}

# Parts of OpenSSL's reason codes, first match wins.
TLS_REASONS: tuple[tuple[str, Cause], ...] = (
    ("ALERT_PROTOCOL_VERSION", Cause.TLS_NO_SHARED_PROTOCOL),
    ("UNSUPPORTED_PROTOCOL", Cause.TLS_NO_SHARED_PROTOCOL),
    ("NO_PROTOCOLS_AVAILABLE", Cause.TLS_NO_SHARED_PROTOCOL),
    ("WRONG_SSL_VERSION", Cause.TLS_NO_SHARED_PROTOCOL),
    ("VERSION_TOO_LOW", Cause.TLS_NO_SHARED_PROTOCOL),
    ("INAPPROPRIATE_FALLBACK", Cause.TLS_NO_SHARED_PROTOCOL),
    ("ALERT_HANDSHAKE_FAILURE", Cause.TLS_NO_SHARED_CIPHER),
    ("ALERT_INSUFFICIENT_SECURITY", Cause.TLS_NO_SHARED_CIPHER),
    ("NO_CIPHERS_AVAILABLE", Cause.TLS_NO_SHARED_CIPHER),
    ("NO_SHARED_CIPHER", Cause.TLS_NO_SHARED_CIPHER),
    ("ALERT_CERTIFICATE_REQUIRED", Cause.CLIENT_CERTIFICATE_REQUIRED),
    ("ALERT", Cause.TLS_ALERT),
)

# SQLSTATEs that need no look at the text.
SQLSTATES: dict[str, Cause] = {
    "28P01": Cause.PASSWORD_REJECTED,
    "3D000": Cause.DATABASE_MISSING,
    "42501": Cause.PERMISSION_DENIED,
    "53300": Cause.TOO_MANY_CONNECTIONS,
    "57P01": Cause.SERVER_SHUTTING_DOWN,
    "57P02": Cause.SERVER_SHUTTING_DOWN,
}

# (SQLSTATE, part of the text): the codes that stand for several causes, first match wins.
SQLSTATE_TEXTS: tuple[tuple[str, str, Cause], ...] = (
    ("28000", "no encryption", Cause.HBA_REJECTED_PLAINTEXT),
    ("28000", "SSL off", Cause.HBA_REJECTED_PLAINTEXT),
    ("28000", "pg_hba.conf", Cause.HBA_REJECTED),
    ("28000", "does not exist", Cause.ROLE_MISSING),
    ("28000", "not permitted to log in", Cause.PERMISSION_DENIED),
    ("28000", "client certificate", Cause.CLIENT_CERTIFICATE_REQUIRED),
    ("28000", "certificate authentication failed", Cause.CLIENT_CERTIFICATE_REQUIRED),
    ("28000", "", Cause.PASSWORD_REJECTED),
    ("57P03", "shutting down", Cause.SERVER_SHUTTING_DOWN),
    ("57P03", "", Cause.SERVER_STARTING),
    ("55000", "not currently accepting connections", Cause.DATABASE_MISSING),
    ("08P01", "", Cause.POOLER_REJECTED),
    ("XX000", "tenant", Cause.POOLER_REJECTED),
)


def of_reason(reason: str) -> Cause | None:
    """The cause behind an OpenSSL reason such as ``TLSV1_ALERT_PROTOCOL_VERSION``."""
    return next((cause for part, cause in TLS_REASONS if part in reason), None)


def of_sqlstate(code: str, message: str) -> Cause | None:
    """The cause behind an ErrorResponse of PostgreSQL."""
    if code in SQLSTATES:
        return SQLSTATES[code]
    return next(
        (cause for state, part, cause in SQLSTATE_TEXTS if state == code and part in message), None
    )
