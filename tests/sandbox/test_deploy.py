"""What a function of the sandbox runs with."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sandbox.aws import Cloud

SEEN: dict[str, str] = {}


class Step:
    """Stands for the ``handler`` of a file in ``lambdas/``."""

    def bind(self, environ: Mapping[str, str], **_: Any) -> Callable[..., Any]:
        SEEN.update(environ)
        return lambda event, context: {
            **dict.fromkeys(("bucket", "key", "mode", "origin"), ""),
            "count": 0,
        }


def test_functions_get_the_templates_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is bound to what the template says, with names that CloudFormation filled in."""
    monkeypatch.setattr("sandbox.aws.deploy.real_handler", lambda _: Step())
    with Cloud.start(environment={"BATCH": "7"}) as cloud:
        assert cloud.run({}).status == "SUCCEEDED"
        assert (SEEN["TABLE"], SEEN["BUCKET"]) == (cloud.table, cloud.bucket)
        assert SEEN["BATCH"] == "7"
        cloud.client("s3").put_object(Bucket=cloud.bucket, Key="left", Body=b"behind")
    with Cloud.start() as cloud:
        assert cloud.objects() == {}
        assert cloud.run({}).status == "SUCCEEDED"
        assert SEEN["BATCH"] != "7"
