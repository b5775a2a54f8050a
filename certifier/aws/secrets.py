"""Secrets Manager: read a secret's JSON at a pinned version, and let nothing of it be printed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.answers import require_same
from certifier.aws.clients import code_of, message_of, translate
from certifier.certificate.identify import listed
from certifier.certificate.secret import NotASecret, parse_secret
from certifier.diagnosis import finding
from certifier.errors import Refused, Unexpected
from certifier.identity import is_full_secret_arn
from certifier.models import Fact, Finding
from certifier.redactor import SECRET_LIMIT
from certifier.vocabulary import Cause, Witness

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_FEW = 10
"""So many secrets are asked for one by one: that shows their tags as they are now."""
_PAGE = 100
_SUFFIX = len("-AbCdEf")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_ABSENT = frozenset({"ResourceNotFoundException"})
_CREDENTIALS = (
    "Put the login into the secret as one JSON object, with the keys username and password as DMS"
    " reads them; under credentials_mode secret also host and port."
)
_UNREADABLE = frozenset(
    {
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",  # marked for deletion, among others
        "KMSAccessDeniedException",
    }
)


class Secret(Mapping[str, object]):
    """The JSON object that a secret holds, read at ``version``.

    A mapping for whoever looks for keys in it. Its ``repr`` and ``str`` name the secret alone, it
    cannot be pickled, and findings about it name keys, never values.
    """

    __slots__ = ("_value", "arn", "version")

    def __init__(self, arn: str, version: str, value: Mapping[str, object]) -> None:
        self.arn = arn
        self.version = version
        self._value = dict(value)

    def __getitem__(self, key: str) -> object:
        return self._value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"Secret({self.arn!r}, version {self.version!r})"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be stored")

    def text(self, key: str) -> str | None:
        """Return the value of ``key`` as text: strings as they are, numbers written out.

        ``None`` when the key is missing, empty, or holds something else.
        """
        match self._value.get(key):
            case str(value) if value:
                return value
            case bool():
                return None
            case int(value):
                return str(value)
            case _:
                return None

    def not_text(self, *keys: str) -> tuple[Finding, ...]:
        """Return one ``secret_not_text`` for every key whose value no client could send, or whose
        value is longer than ``SECRET_LIMIT``."""
        return tuple(
            finding(
                Cause.SECRET_NOT_TEXT,
                place=Witness.INTAKE,
                seen=f"the value of {key} in the secret {self.arn} {problem}",
            )
            for key in keys
            if (problem := _unusable(self.text(key) or ""))
        )

    def missing(self, *keys: str) -> tuple[Finding, ...]:
        """Return one ``secret_incomplete`` for every key of a login without a usable value."""
        return tuple(
            finding(
                Cause.SECRET_INCOMPLETE,
                place=Witness.INTAKE,
                seen=f"the secret {self.arn} has no usable value for the key {key!r};"
                f" the keys in it: {listed(self._value)}",
                remedy=_CREDENTIALS,
            )
            for key in keys
            if self.text(key) is None
        )


class SecretFacts(Fact):
    """The full ARN of a secret, and its tags."""

    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class _Entry:
    """One secret of a list."""

    name: str
    arn: str
    tags: Mapping[str, str]


def _ids(name: str, arn: str) -> tuple[str, ...]:
    """Return what a secret may be called: its name, its full ARN, that ARN without its suffix."""
    partial = arn[:-_SUFFIX] if is_full_secret_arn(arn) else arn
    return tuple({name, arn, partial})


class Secrets:
    """Reads secrets."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client

    def read(self, arn: str, version: str | None = None) -> Secret | Finding:
        """Return the secret at ``version`` (a VersionId), or at AWSCURRENT; or why not.

        The finding is ``secret_unreadable`` when the service does not give it, and
        ``secret_incomplete`` or ``secret_ambiguous`` when it is neither a JSON object nor PEM.

        Raises:
            Retryable: the service asked us to slow down, or did not answer.
        """
        try:
            answer = (
                self._client.get_secret_value(SecretId=arn)
                if version is None
                else self._client.get_secret_value(SecretId=arn, VersionId=version)
            )
        except (ClientError, BotoCoreError) as error:
            return _unreadable(arn, version, error)
        _require_asked(answer, arn)
        pinned = answer["VersionId"]
        require_same("GetSecretValue", [pinned], [version or pinned])
        value = parse_secret(answer.get("SecretString") or answer.get("SecretBinary", b""))
        if isinstance(value, NotASecret):
            return _incomplete(arn, value.seen, value.cause)
        return Secret(arn, pinned, value)

    def require(self, arn: str, version: str | None) -> Secret:
        """Return the secret at ``version``, without which a step may not go on.

        Raises:
            Refused: it cannot be read.
            Retryable: the service asked us to slow down, or did not answer.
        """
        secret = self.read(arn, version)
        if isinstance(secret, Finding):
            raise Refused.because(secret)
        return secret

    def tags(self, arn: str) -> Mapping[str, str] | Finding:
        """Return the tags of a secret, without reading its value; or ``secret_unreadable``.

        Raises:
            Retryable: the service asked us to slow down, or did not answer.
        """
        described = self.described(arn)
        return described if isinstance(described, Finding) else described.tags

    def described(self, secret: str) -> SecretFacts | Finding:
        """Return what may be said of a secret, by its name or ARN, without reading its value.

        Raises:
            Retryable: the service asked us to slow down, or did not answer.
        """
        try:
            answer = self._client.describe_secret(SecretId=secret)
        except (ClientError, BotoCoreError) as error:
            return _unreadable(secret, None, error)
        _require_asked(answer, secret)
        tags = {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags", ())}
        return SecretFacts(arn=answer.get("ARN", secret), tags=tags)

    def described_all(self, secrets: Iterable[str]) -> dict[str, SecretFacts]:
        """Return the same of many, by what each was named; what cannot be looked at is left out.

        More than a few are read from pages of ListSecrets, which may show the tags of some minutes
        ago (Secrets Manager API, ListSecrets). That lists every secret of the account, so it ends
        where reading on would cost more than asking for each that has not been found.

        Raises:
            Retryable: the service asked us to slow down, or did not answer.
        """
        missing = set(secrets)
        found: dict[str, SecretFacts] = {}
        if len(missing) > _FEW:
            for entry in self._listed(most=max(_FEW, len(missing) // 10)):
                for named in [each for each in _ids(entry.name, entry.arn) if each in missing]:
                    missing.discard(named)
                    found[named] = SecretFacts(arn=entry.arn, tags=entry.tags)
                if not missing:
                    break
        for named in sorted(missing):
            described = self.described(named)
            if isinstance(described, SecretFacts):
                found[named] = described
        return found

    def _listed(self, most: int) -> Iterator["_Entry"]:
        """Yield the account's secrets, from as many pages; none where that is not permitted."""
        marker: dict[str, str] = {}
        for _ in range(most):
            try:
                answer = self._client.list_secrets(MaxResults=_PAGE, **marker)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError) as error:
                ours = translate(error)
                if isinstance(ours, Refused | Unexpected):
                    return
                raise ours from None
            for entry in answer["SecretList"]:
                tags = {tag["Key"]: tag.get("Value", "") for tag in entry.get("Tags", ())}
                yield _Entry(entry.get("Name", ""), entry.get("ARN", ""), tags)
            if not (token := answer.get("NextToken")):
                return
            marker = {"NextToken": token}

    def current_version(self, arn: str) -> str | Finding:
        """Return the VersionId that is AWSCURRENT now, without reading the value."""
        try:
            answer = self._client.describe_secret(SecretId=arn)
        except (ClientError, BotoCoreError) as error:
            return _unreadable(arn, None, error)
        _require_asked(answer, arn)
        for version, stages in answer.get("VersionIdsToStages", {}).items():
            if "AWSCURRENT" in stages:
                return version
        return _incomplete(arn, "has no current version")


def _require_asked(answer: Mapping[str, Any], secret: str) -> None:
    """Return if the answer is about this secret, by its name or ARN, as far as it says which.

    Raises:
        Unavailable: it is about another.
    """
    if found := answer.get("ARN"):
        require_same("Secrets Manager", [secret], _ids(answer.get("Name", ""), found))


def _unusable(value: str) -> str | None:
    """Why nothing is done with a value; it is not shown."""
    if len(value) > SECRET_LIMIT:
        return f"is longer than {SECRET_LIMIT:,} characters"
    return "holds a NUL or a lone surrogate" if _NOT_TEXT.search(value) else None


def _incomplete(arn: str, what: str, cause: Cause = Cause.SECRET_INCOMPLETE) -> Finding:
    return finding(cause, place=Witness.INTAKE, seen=f"what the secret {arn} holds {what}")


def _unreadable(arn: str, version: str | None, error: ClientError | BotoCoreError) -> Finding:
    """Return the finding for a secret that the service does not give, or raise what passes."""
    ours = translate(error)
    code = code_of(error)
    which = f"the secret {arn}" + ("" if version is None else f" at version {version}")
    match ours:
        case Refused():
            seen = f"{which} may not be read"
        case Unexpected() if code in _ABSENT:
            seen = f"{which} does not exist"
        case Unexpected() if code in _UNREADABLE:
            seen = f"{which} cannot be read ({code})"
        case _:
            raise ours from None
    return finding(
        Cause.SECRET_UNREADABLE,
        place=Witness.INTAKE,
        seen=seen,
        raw=message_of(error) or None,
    )
