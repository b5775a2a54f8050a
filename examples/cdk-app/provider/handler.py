"""A custom resource: this source, certified. Two functions of the CDK's provider framework.

``begin`` starts Onboard, ``is_complete`` looks until it has ended. What Onboard answers are the
attributes of the resource; what it refuses fails the deployment, with the reason.
"""

import json
import os
from typing import Any

import boto3


def begin(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start Onboard for what is created or changed. Deleting leaves endpoint and source alone."""
    name = event["ResourceProperties"]["Source"]["name"]
    if event["RequestType"] != "Delete":
        boto3.client("stepfunctions").start_execution(
            stateMachineArn=os.environ["ONBOARD"],
            # CloudFormation may ask twice: the same name and input are the same execution.
            name=event["RequestId"],
            input=json.dumps({"sources": [_typed(event["ResourceProperties"]["Source"])]}),
        )
    return {"PhysicalResourceId": f"certified-{name}"}


def is_complete(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Say whether it has ended, and how."""
    if event["RequestType"] == "Delete":
        return {"IsComplete": True}
    machine = os.environ["ONBOARD"].replace(":stateMachine:", ":execution:")
    run = boto3.client("stepfunctions").describe_execution(
        executionArn=f"{machine}:{event['RequestId']}"
    )
    if run["status"] == "RUNNING":
        return {"IsComplete": False}
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
