"""docs/operate/deploy.md keeps its word: the commands that delete something do what they say."""

import re
import shlex
from pathlib import Path
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients

TEXT = (Path(__file__).resolve().parents[2] / "docs/operate/deploy.md").read_text(encoding="utf-8")


def test_the_bucket_is_deleted_with_every_version(
    aws: boto3.Session, clients: Clients, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented line removes objects, their older versions and delete markers."""
    s3: Any = clients.client("s3")
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"records/{number % 10}.json", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key="records/1.json")
    with pytest.raises(s3.exceptions.ClientError, match="BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)
    (line,) = re.findall(r"^\.venv/bin/python -c .*$", TEXT, re.MULTILINE)
    _, _, program, argument = shlex.split(line)
    assert argument == "$BUCKET"
    monkeypatch.setattr("sys.argv", ["-c", bucket])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", aws)
    exec(compile(program, "docs/operate/deploy.md", "exec"), {})
    assert bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
