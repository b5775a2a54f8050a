"""S3: the documents of runs, the manifest, the records and reports, and CA bundles of other teams.

Keys of the bucket::

    runs/<run>/<step>.json                        what a step of one certification found
    runs/<execution>/manifest.json                what Select sources chose
    onboarding/<execution>.json                   what Onboard has registered or checked, for Run
    runs/<execution>/outcomes/<name>.<outcome>    how each child of an execution ended
    runs/<execution>/notices/<name>.json          a notice that waits for the execution's end
    records/<source>/<instant>-<run>.json, .html  what one certification proved
    reports/<execution>.json, .html               what one execution did (``report_key``)
    reports/latest.html, .json                    the page of the fleet, and its digests of records
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from certifier.aws.answers import require_asked
from certifier.aws.clients import code_of, message_of, translate, translated
from certifier.diagnosis import finding
from certifier.errors import Refused, Unexpected, Unreadable
from certifier.models import Fact, Finding
from certifier.run.documents import Document
from certifier.run.event import Handover
from certifier.run.kept import written
from certifier.run.pending import Pending
from certifier.run.summary import ChildOutcome
from certifier.source_values import is_name
from certifier.vocabulary import Cause, Outcome, Witness

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DOCUMENT_LIMIT = 8 * 1024 * 1024
BUNDLE_LIMIT = 1024 * 1024
JSON = "application/json"
HTML = "text/html; charset=utf-8"
_DENIED = frozenset({"AccessDenied", "403", "Forbidden"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})

F = TypeVar("F", bound=Fact)


class Documents:
    """Everything that Certifier writes to its own bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    # -- what the steps of one certification found

    def write(self, run: str, document: Document[F], fact: F) -> None:
        """Write a document of ``run``; a later call of its step replaces it."""
        self.put(f"runs/{run}/{document.name}.json", written(fact).encode(), JSON)

    def read(self, run: str, document: Document[F]) -> F | None:
        """Return a document of ``run``; ``None`` when its step has not written it.

        Raises:
            Unreadable: what lies there is not of the document's type, or of another version.
        """
        body = self.get(f"runs/{run}/{document.name}.json")
        if body is None:
            return None
        try:
            return document.type.model_validate_json(body)
        except ValidationError:
            raise Unreadable(f"{document.name}.json") from None

    # -- the manifest

    def write_manifest(self, execution: str, items: Sequence[dict[str, Any]]) -> str:
        """Write the list that the Map reads, and return its key."""
        key = f"runs/{execution}/manifest.json"
        self.put(key, json.dumps(list(items)).encode(), JSON)
        return key

    def read_manifest(self, key: str) -> list[dict[str, Any]]:
        """Return the list under ``key``; empty when there is none."""
        body = self.get(key)
        return [] if body is None else list(json.loads(body))

    # -- what Onboard hands over

    def write_onboarding(self, execution: str, handed: Handover) -> None:
        """Hand over what an execution of Onboard has registered or checked."""
        self.put(
            f"onboarding/{execution}.json",
            written(handed).encode(),
            JSON,
        )

    def read_onboarding(self, execution: str) -> Handover | None:
        """Return what an execution of Onboard has handed over; ``None`` when it has not.

        Raises:
            Unreadable: another version of Certifier has, as in the middle of a deployment.
        """
        body = self.get(f"onboarding/{execution}.json")
        if body is None:
            return None
        try:
            return Handover.model_validate_json(body)
        except ValidationError:
            raise Unreadable(f"onboarding/{execution}.json") from None

    # -- how the children of an execution ended

    def write_child_outcome(self, execution: str, outcome: ChildOutcome) -> None:
        """Write the outcome for the report. A name holds no full stop, so the key says both."""
        key = f"runs/{execution}/outcomes/{outcome.name}.{outcome.outcome.value}"
        self.put(key, written(outcome).encode(), JSON)

    def outcomes(self, execution: str) -> dict[str, Outcome]:
        """Return the outcome of every child that has written one so far; of several, the gravest.

        A child that was started twice (redriven) leaves two words; ``deferred`` says least. The
        name of an execution is free again after 90 days (Step Functions API, StartExecution), and
        what lies here is kept longer: older than its manifest is the outcome of another one.
        """
        prefix = f"runs/{execution}/outcomes/"
        begun = self._written_at(f"runs/{execution}/manifest.json")
        found: dict[str, Outcome] = {}
        for key, written_at in self._listed(prefix):
            name, _, word = key.removeprefix(prefix).partition(".")
            if word not in set(Outcome) or not is_name(name):
                continue  # not one that a step of ours leaves
            if begun is not None and written_at < begun:
                continue
            outcome = Outcome(word)
            if name not in found or _WEIGHT.index(outcome) > _WEIGHT.index(found[name]):
                found[name] = outcome
        return found

    def child_outcomes(self, execution: str) -> dict[str, ChildOutcome]:
        """Return all outcomes that the children of an execution have written, by source.

        One that cannot be read is as good as none, and does not hide the others.
        """
        found = {}
        for name, outcome in self.outcomes(execution).items():
            with suppress(ValidationError, Unexpected):
                body = self.get(f"runs/{execution}/outcomes/{name}.{outcome.value}")
                found[name] = ChildOutcome.model_validate_json(body or b"")
        return found

    # -- notices that wait for the end of their execution

    def write_pending(self, execution: str, notice: Pending) -> None:
        """Leave a notice to the report of an execution; a later call replaces it."""
        key = f"runs/{execution}/notices/{notice.name}.json"
        self.put(key, written(notice).encode(), JSON)

    def pending(self, execution: str) -> tuple[Pending, ...]:
        """Return the notices that wait for the end of an execution.

        A right to write ``runs/*/probe_tls*`` reaches into every folder, since ``*`` stands for
        slashes too. But the names of steps have a ``_``, and those of sources have none: what does
        not lie under the name of its source is nobody's, and is not read. One notice that cannot
        be read does not hold up the others.
        """
        prefix, found = f"runs/{execution}/notices/", []
        for key in self.keys(prefix):
            name = key.removeprefix(prefix).removesuffix(".json")
            if not is_name(name):
                continue
            with suppress(ValidationError, Unexpected):
                notice = Pending.model_validate_json(self.get(key) or b"")
                if key == f"{prefix}{notice.name}.json":
                    found.append(notice)
        return tuple(found)

    # -- records and reports

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write one object."""
        with translated():
            self._client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType=content_type
            )

    def get(self, key: str) -> bytes | None:
        """Return one object; ``None`` when it is not there."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            body = answer["Body"].read(DOCUMENT_LIMIT + 1)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) in _ABSENT or (code_of(error) in _DENIED and self._is_absent(key)):
                return None
            raise translate(error) from None
        if len(body) > DOCUMENT_LIMIT:
            raise Unexpected("DocumentTooLarge")
        return body

    def _is_absent(self, key: str) -> bool:
        """Whether an object that S3 does not give is missing.

        S3 says so only to who may list the bucket. A role that may list its own prefixes alone is
        told that it may not read the object; so it looks whether there is one.
        """
        try:
            answer = self._client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        except (ClientError, BotoCoreError):
            return False
        return key not in [entry["Key"] for entry in answer.get("Contents", ())]

    def keys(self, prefix: str) -> list[str]:
        """Return every key under ``prefix``, in order: all of one run, or of one source."""
        return [key for key, _written_at in self._listed(prefix)]

    def _listed(self, prefix: str) -> list[tuple[str, datetime]]:
        """Return every key under ``prefix`` with the second in which it was written, in order."""
        with translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            return [
                (entry["Key"], entry["LastModified"])
                for page in pages
                for entry in page.get("Contents", ())
            ]

    def _written_at(self, key: str) -> datetime | None:
        """Return the second in which an object was written; ``None`` when it is not there."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) in _ABSENT or (code_of(error) in _DENIED and self._is_absent(key)):
                return None
            raise translate(error) from None
        answer["Body"].close()
        return answer["LastModified"]


_WEIGHT = (
    Outcome.DEFERRED,
    Outcome.PLANNED,
    Outcome.CERTIFIED,
    Outcome.TASK_STOPPED,
    Outcome.REFUSED,
    Outcome.ROLLED_BACK,
    Outcome.FAILED,
)


class BundleObject(Fact):
    """A CA bundle as it was read. ``version`` pins it; ``null`` in a bucket without versions."""

    uri: str
    version: str | None
    body: bytes


class Bucket:
    """Reads CA bundles from buckets that other teams own."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_bundle(
        self, uri: str, version: str | None = None, *, limit: int = BUNDLE_LIMIT
    ) -> BundleObject | Finding:
        """Return the object at ``uri`` (``s3://bucket/key``), or why it cannot be read.

        The finding is ``bundle_unreadable``, or ``material_too_large`` over ``limit`` bytes.

        Raises:
            Retryable: the service asked us to slow down, or did not answer.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            answer = (
                self._client.get_object(Bucket=bucket, Key=key)
                if version is None
                else self._client.get_object(Bucket=bucket, Key=key, VersionId=version)
            )
            require_asked("get_object", {"VersionId": version}, answer)
            body = answer["Body"].read(limit + 1)
        except (ClientError, BotoCoreError) as error:
            return _unreadable(uri, error)
        if len(body) > limit:
            return finding(
                Cause.MATERIAL_TOO_LARGE,
                place=Witness.INTAKE,
                seen=f"the CA bundle {uri} is larger than {limit} bytes",
            )
        return BundleObject(uri=uri, version=answer.get("VersionId"), body=body)


def _unreadable(uri: str, error: ClientError | BotoCoreError) -> Finding:
    """Return the finding for a bundle that S3 does not give, or raise what passes by itself."""
    ours = translate(error)
    code = code_of(error)
    match ours:
        case Refused():
            seen = f"the CA bundle {uri} may not be read"
        case Unexpected() if code in _ABSENT:
            seen = f"the CA bundle {uri} does not exist"
        case Unexpected() if code:
            seen = f"the CA bundle {uri} cannot be read ({code})"
        case _:
            raise ours from None
    return finding(
        Cause.BUNDLE_UNREADABLE, place=Witness.INTAKE, seen=seen, raw=message_of(error) or None
    )
