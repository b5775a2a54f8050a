"""A custom resource: this source, certified. Two functions of the CDK's provider framework.

``begin`` starts Onboard, ``is_complete`` looks until it has ended. What Onboard answers are the
attributes of the resource; what it refuses fails the deployment, with the reason. While another run
has the source, such as that of an event of its secret, and after what passes by itself,
``is_complete`` starts it again, a few times.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

ATTEMPTS = 5
PAUSE = timedelta(minutes=5)
PASSES = ("Throttled", "Busy", "Unavailable", "NotYetConsistent")
"""Errors after which starting again is right (docs/reference/events.md)."""


def begin(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start Onboard for what is created or changed. Deleting leaves endpoint and source alone."""
    name = event["ResourceProperties"]["Source"]["name"]
    if event["RequestType"] != "Delete":
        _start(event, 1)
    return {"PhysicalResourceId": f"certified-{name}"}


def is_complete(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Say whether it has ended, and how."""
    if event["RequestType"] == "Delete":
        return {"IsComplete": True}
    for attempt in range(1, ATTEMPTS + 1):
        run = _run(event, attempt)
        if run["status"] == "RUNNING":
            return {"IsComplete": False}
        if not _passes(run) or attempt == ATTEMPTS:
            break
        if datetime.now(UTC) - run["stopDate"] < PAUSE:
            return {"IsComplete": False}
        _start(event, attempt + 1)
    if run["status"] != "SUCCEEDED":
        raise RuntimeError(_reason(run.get("cause") or run["status"]))
    (source,) = json.loads(run["output"])["sources"]
    return {
        "IsComplete": True,
        "Data": {
            "EndpointArn": source["endpoint_arn"],
            "CertificateArn": source["certificate_arn"] or "",
            "DaysLeft": source["days_left"],
        },
    }


def _start(event: dict[str, Any], attempt: int) -> None:
    """Start Onboard, unless this attempt was started before.

    Everybody may ask twice: the same name and input are the same execution.
    """
    try:
        boto3.client("stepfunctions").start_execution(
            stateMachineArn=os.environ["ONBOARD"],
            name=_name(event, attempt),
            input=json.dumps({"sources": [_typed(event["ResourceProperties"]["Source"])]}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def _run(event: dict[str, Any], attempt: int) -> Any:
    """Return what Step Functions says of an attempt; one that it does not know yet runs."""
    machine = os.environ["ONBOARD"].replace(":stateMachine:", ":execution:")
    try:
        return boto3.client("stepfunctions").describe_execution(
            executionArn=f"{machine}:{_name(event, attempt)}"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return {"status": "RUNNING"}


def _name(event: dict[str, Any], attempt: int) -> str:
    return event["RequestId"] if attempt == 1 else f"{event['RequestId']}-{attempt}"


def _passes(run: dict[str, Any]) -> bool:
    """Whether it failed because another run had the source, or AWS did not answer."""
    if run["status"] != "FAILED":
        return False
    if run.get("error") in PASSES:
        return True
    try:
        return (
            run.get("error") == "NotCertified" and "deferred" in json.loads(run["cause"])["counts"]
        )
    except (ValueError, KeyError, TypeError):
        return False


def _typed(source: dict[str, Any]) -> dict[str, Any]:
    """Give a port and switches their types back: CloudFormation hands over texts alone."""
    words = {"true": True, "false": False}
    typed = {
        key: words.get(value, value) if isinstance(value, str) else value
        for key, value in source.items()
    }
    return {**typed, "port": int(typed["port"])} if "port" in typed else typed


def _reason(cause: str) -> str:
    try:
        return str(json.loads(cause)["reason"])
    except (ValueError, KeyError, TypeError):
        return cause
