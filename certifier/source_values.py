"""What the value of each field of a source may be, and the sentence that rejects any other.

No value is echoed, since a password may have been put into the wrong field.
"""

import re
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
)
from pydantic_core import PydanticCustomError

from certifier.certificate.trust_sets import TrustWord
from certifier.ownership import is_reserved
from certifier.rds_names import rds_name
from certifier.vocabulary import SslMode
from certifier.window import Window, WindowError

_PARTITION = r"arn:aws[a-z-]*"
_ENDPOINT_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:[0-9]{12}:endpoint:[A-Za-z0-9-]+")
_INSTANCE_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:[0-9]{12}:rep:[A-Za-z0-9-]+")
_SECRET_ARN = re.compile(
    _PARTITION + r":secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}"
)
_ACM_ARN = re.compile(_PARTITION + r":acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]{1,64}")
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\x00-\x1f\x7f]{1,1024})")
_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_IDENTIFIER = re.compile(r"(?!.*--)[A-Za-z]([A-Za-z0-9-]{0,253}[A-Za-z0-9])?")
_NODE = re.compile(r"(\[(?P<inside>[^\[\]]+)\]|(?P<host>[^\[\]:]+))(:(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}")

ARN_LENGTH = 2048
"""The longest ARN (AWS General Reference), and so the longest text of a source."""
_WINDOW_LENGTH = 100

_SEPARATORS = ";{}="
_ENDS_A_VALUE = _SEPARATORS + " '\"\\"

_OPPORTUNISTIC = ("allow", "prefer")


def wrong(message: str) -> PydanticCustomError:
    """Return a mistake whose words are ours, and hold no value."""
    return PydanticCustomError("wrong", "{message}", {"message": message})


def _matches(pattern: re.Pattern[str], allowed: str) -> Any:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise wrong(allowed)
        return value

    return AfterValidator(check)


def is_name(text: str) -> bool:
    """Whether a source can have this name."""
    return _NAME.fullmatch(text) is not None


def _endpoint(value: str) -> str:
    if value.startswith("arn:"):
        if not _ENDPOINT_ARN.fullmatch(value):
            raise wrong("must be the ARN of a DMS endpoint (arn:aws:dms:...:endpoint:...)")
    elif not _IDENTIFIER.fullmatch(value):
        raise wrong(
            "must be an endpoint's ARN, or an identifier: a letter first, then letters, digits and "
            "single hyphens, at most 255, the last no hyphen"
        )
    if is_reserved(value):
        raise wrong(
            "must not begin with certifier-: such names are kept for what Certifier makes to "
            "rehearse, and deletes"
        )
    return value


def _host(value: str) -> str:
    try:
        if "%" in value:  # a zone, which may be any text to Python and means nothing to DMS
            raise ValueError
        ip_address(value)
    except ValueError:
        labels = value.removesuffix(".").split(".")
        if not _HOST.fullmatch(value) or ":" in value or not all(0 < len(x) < 64 for x in labels):
            raise wrong(
                "must be a host name or an IP address, without scheme, port, brackets or spaces"
            ) from None
    return value


def is_database(name: str) -> bool:
    """Whether a source can name this database: nothing in it ends a value in a connection string.

    How DMS quotes for libpq and ODBC is not documented. A name that ended its own value there would
    send the owner's login to a host that nobody has vouched for.
    """
    plain = name.isprintable() and "://" not in name
    return plain and not any(sign in _ENDS_A_VALUE for sign in name)


def _database(value: str) -> str:
    if not is_database(value):
        raise wrong(
            "must not hold blanks, control characters, quotes, backslashes, ://, or one of "
            f"{' '.join(_SEPARATORS)}, since what follows could be read as another setting"
        )
    return value


def node_of(value: str, port: int) -> tuple[str, int]:
    """Return host and port of a node; without a port of its own, that of the source.

    Raises:
        ValueError: it is neither of the two.
    """
    if value.count(":") > 1 and not value.startswith("["):
        return value, port  # an IPv6 address without a port
    found = _NODE.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return found["inside"] or found["host"], int(found["port"] or port)


def _is_node(value: str) -> str:
    try:
        host, port = node_of(value, 1)
        _host(host)
    except (ValueError, PydanticCustomError):
        port = 0
    if not 1 <= port <= 65535:
        raise wrong(
            "must be a host name or an IP address, or one with a port: host:port, [address]:port"
        )
    return value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _ssl_mode(value: object) -> object:
    if value in _OPPORTUNISTIC:
        raise wrong(
            "allow and prefer are refused: DMS has no opportunistic mode, and such a connection "
            "can silently be plain text; use require, verify-ca or verify-full"
        )
    return SslMode.NONE if value == "disable" else value


def _secret(value: str) -> str:
    if value.startswith("arn:") and ":acm:" in value:
        raise wrong(
            "must be a Secrets Manager ARN; this is a certificate in ACM, which "
            "server_certificate takes"
        )
    if not is_secret_arn(value):
        raise wrong(
            "must be the full ARN of a secret, with its six-character suffix "
            "(arn:aws:secretsmanager:...:secret:name-AbCdEf)"
        )
    return value


_WORDS = ", ".join(TrustWord)


def _bundle(value: str) -> str:
    if value in set(TrustWord) or _S3_URI.fullmatch(value) or is_secret_arn(value):
        return value
    raise wrong(
        f"must be one of the words {_WORDS}; or s3://bucket/key; or the full ARN of a secret"
    )


def _server_certificate(value: str) -> str:
    if is_acm_arn(value):
        return value
    if value.startswith("arn:") and ":acm:" in value:
        raise wrong("must be the whole ARN of a certificate in ACM (arn:aws:acm:...:certificate/)")
    return _secret(value)


def is_secret_arn(value: str) -> bool:
    """Whether it is the full ARN of a secret, with its six-character suffix."""
    return _SECRET_ARN.fullmatch(value) is not None


def is_acm_arn(value: str) -> bool:
    """Whether it is the ARN of a certificate in ACM."""
    return _ACM_ARN.fullmatch(value) is not None


def word_mistake(word: TrustWord, host: str, *, verify_full: bool) -> str | None:
    """Return why a word cannot stand for the CAs of this host; ``None``: it can.

    Args:
        verify_full: the mode is verify-full.
    """
    if word is TrustWord.PUBLIC and not verify_full:
        return (
            "public is for verify-full alone: with public CAs, verify-ca lets every server of the "
            "Internet in (libpq's sslrootcert=system says the same)"
        )
    if word is not TrustWord.RDS:
        return None
    name = rds_name(host)
    if name is None:
        return (
            "rds is for hosts of RDS, whose name says the Region (*.REGION.rds.amazonaws.com); for "
            "an alias of such a host give the name that RDS has given it, or the bundle itself"
        )
    if name.is_proxy:
        return "rds is not for an RDS Proxy, whose certificate is of Amazon's public CA: use amazon"
    return None


def _restart(value: object) -> object:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > _WINDOW_LENGTH:
        raise wrong(
            "must be true, false, or a weekly window such as 'sun 02:00-04:00 Europe/Berlin'"
        )
    try:
        Window.parse(value)
    except WindowError as error:
        raise wrong(str(error)) from None
    return value


Name = Annotated[
    str,
    _matches(
        _NAME, "must match [a-z][a-z0-9-]{0,39}, without '--' and without a hyphen at the end"
    ),
    Field(max_length=40),
]
EndpointName = Annotated[str, AfterValidator(_endpoint), Field(max_length=ARN_LENGTH)]
Host = Annotated[str, AfterValidator(_host), Field(max_length=255)]
Node = Annotated[str, AfterValidator(_is_node), Field(max_length=270)]
Nodes = Annotated[tuple[Node, ...], AfterValidator(_each_once)]
Database = Annotated[str, AfterValidator(_database), Field(min_length=1, max_length=63)]
Mode = Annotated[SslMode, BeforeValidator(_ssl_mode)]
SecretArn = Annotated[str, AfterValidator(_secret), Field(max_length=ARN_LENGTH)]
ServerCertificate = Annotated[
    str, AfterValidator(_server_certificate), Field(max_length=ARN_LENGTH)
]
CaBundle = Annotated[str, AfterValidator(_bundle), Field(max_length=ARN_LENGTH)]
InstanceArn = Annotated[
    str,
    _matches(_INSTANCE_ARN, "must be the ARN of a replication instance (arn:aws:dms:...:rep:...)"),
    Field(max_length=ARN_LENGTH),
]
RestartTasks = Annotated[bool | str, BeforeValidator(_restart)]
