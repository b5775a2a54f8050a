"""CloudFormation, Lambda and EventBridge: moto's, taught to deploy the template and run it."""

import importlib
import io
import json
import logging
import threading
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO
from unittest.mock import patch

import moto.s3.urls
from aws_lambda_powertools.metrics.provider.cloudwatch_emf import cloudwatch
from moto.awslambda.models import LambdaFunction, LambdaVersion
from moto.cloudformation.models import Stack
from moto.core.serialize import JSONSerializer
from moto.events.models import Rule
from moto.s3.models import S3Backend

from sandbox.aws.calls import EVENTS, Session

STACK = "certifier-sandbox"
# What Lambda calls it in a function's environment.
FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"

Handler = Callable[[dict[str, Any], Any], Any]
# Makes the handler of a step for one function's environment.
Binder = Callable[[str, Mapping[str, str]], Handler]


class LambdaFault(Exception):
    """What a stub handler raises to fail as Lambda itself does, e.g. ``Sandbox.Timedout``."""

    def __init__(self, error_type: str, message: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type


class Functions:
    """The functions of all stacks, each bound to its handler on its first call."""

    def __init__(self, bind: Binder) -> None:
        self._bind = bind
        self._bound: dict[str, Handler] = {}
        self._lock = threading.Lock()

    def invoke(self, function: LambdaFunction, event: Any) -> tuple[str, bool, str]:
        """Answer as moto wants it: the payload, whether it is an error, the log."""
        try:
            handler = self._handler(function)
            # A step gets its event as Lambda gives it: parsed anew, shared with nobody.
            answer = handler(json.loads(json.dumps(event)), None)
            return json.dumps(answer), False, ""
        except LambdaFault as fault:
            return _error(fault.error_type, str(fault)), True, ""
        except SystemExit as death:
            return _error("Runtime.ExitError", f"Runtime exited: {death}"), True, ""
        except Exception as error:  # noqa: BLE001  (Lambda catches everything too)
            return _error(type(error).__name__, str(error)), True, ""

    def _handler(self, function: LambdaFunction) -> Handler:
        """Return the function's handler; each stack has functions of its own."""
        name = str(function.function_name)
        with self._lock:
            if name not in self._bound:
                environ = {key: str(value) for key, value in function.environment_vars.items()}
                environ[FUNCTION_NAME] = name
                self._bound[name] = self._bind(_step(function), environ)
            return self._bound[name]


def real_handler(step: str) -> Any:
    """Return the ``Step`` of ``lambdas/<step>.py``."""
    return importlib.import_module(f"lambdas.{step}").handler


def _step(function: LambdaFunction) -> str:
    """``lambdas.probe_tls.handler`` is the step ``probe_tls``."""
    return str(function.handler).split(".")[-2]


def _error(error_type: str, message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": error_type, "stackTrace": []})


@contextmanager
def installed(functions: Functions, log: TextIO) -> Iterator[None]:
    """Patch moto's Lambda, its versions in CloudFormation, EventBridge's targets, and S3."""
    plain_version = LambdaVersion.create_from_cloudformation_json
    plain_send = Rule.send_to_targets

    def invoke(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        return functions.invoke(self, event or {})

    def version(
        resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kw: Any
    ) -> Any:
        made: Any = plain_version(resource_name, cloudformation_json, account_id, region_name, **kw)
        name = cloudformation_json["Properties"]["FunctionName"].rsplit(":", 1)[-1]
        made.physical_resource_id = (
            f"arn:aws:lambda:{region_name}:{account_id}:function:{name}:{made.version}"
        )
        return made

    def send(self: Rule, original_event: Any, transform_input: bool = True) -> None:
        if not self.event_pattern.matches_event(original_event):
            return
        others = [target for target in self.targets if ":states:" not in target["Arn"]]
        for target in self.targets:
            if ":states:" in target["Arn"]:
                _start(self.region_name, target["Arn"], target.get("Input") or original_event)
        if others:
            with patch.object(self, "targets", others):
                plain_send(self, original_event, transform_input)

    plain_structure: Any = JSONSerializer._serialize_type_structure

    def structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        # An item's attributes are stored as they are answered; moto looks for each of a value's
        # ten types under twelve names.
        if shape.name == "AttributeValue" and isinstance(value, dict):
            serialized[key] = value
        else:
            plain_structure(self, serialized, value, shape, key)

    # moto reads this module from the disk anew, twice for each call to S3.
    urls = property(lambda _: moto.s3.urls)

    with (
        patch.object(S3Backend, "_url_module", urls),
        # Ours is JSON, which takes moto long to read as YAML.
        patch.object(Stack, "parse_template", staticmethod(json.loads)),
        patch.object(JSONSerializer, "_serialize_type_structure", structure),
        # Metrics are lines that a function prints; they belong to its log.
        patch.object(cloudwatch, "print", partial(print, file=log), create=True),
        patch.object(LambdaFunction, "_invoke_lambda", invoke),
        patch.object(LambdaVersion, "create_from_cloudformation_json", staticmethod(version)),
        patch.object(Rule, "send_to_targets", send),
    ):
        yield


def _start(region: str, machine: str, event: Any) -> None:
    """Start an execution the way EventBridge does: with a name of its own making."""
    client = Session(EVENTS, region).client("stepfunctions")
    text = event if isinstance(event, str) else json.dumps(event)
    client.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=text)


def deploy(session: Session, template: Mapping[str, Any], stack: str = STACK) -> dict[str, str]:
    """Deploy the template as that stack; return physical ids by logical id, and its outputs.

    What moto does not know (policies of buckets, queues and topics, schedules, alarms) it leaves
    out; the bootstrap's version check is dropped, since nobody bootstraps a sandbox.
    """
    template = {key: value for key, value in template.items() if key != "Rules"}
    parameters = dict(template.get("Parameters", {}))
    parameters.pop("BootstrapVersion", None)
    template["Parameters"] = parameters
    # It names the alarms, which moto has not made.
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::CloudWatch::Dashboard"
    }
    _upload_assets(session, template)
    cloudformation = session.client("cloudformation")
    with _silent("moto"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        (made,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        found = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
    found.update({out["OutputKey"]: out["OutputValue"] for out in made.get("Outputs", [])})
    return found


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _upload_assets(session: Session, template: Mapping[str, Any]) -> None:
    """Put something where the template says that code is: handlers are bound, not loaded."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("empty.py", "")
    s3 = session.client("s3")
    region = session.region_name
    wanted = set()
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for place in (properties.get("Code"), properties.get("Content")):
            if isinstance(place, dict) and "S3Key" in place:
                wanted.add((_resolved(place["S3Bucket"], region), place["S3Key"]))
    here: Any = {"LocationConstraint": region}
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {bucket for bucket, _ in wanted} - there:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
    for bucket, key in wanted:
        s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())


def _resolved(value: Any, region: str) -> str:
    text = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    return text.replace("${AWS::AccountId}", "123456789012").replace("${AWS::Region}", region)
