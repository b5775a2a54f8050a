"""The alarms of a served account, which moto's CloudFormation leaves out of the stack.

They can be listed, and their first command typed; nothing in moto evaluates a metric. A state comes
by hand: ``aws cloudwatch set-alarm-state``.
"""

from typing import Any

from sandbox.aws.cloud import Cloud

TYPE = "AWS::CloudWatch::Alarm"


def add_alarms(cloud: Cloud, stack: str) -> None:
    """Make the template's alarms, named after the stack, as CloudFormation names them."""
    for logical_id, resource in cloud.template["Resources"].items():
        if resource["Type"] == TYPE:
            properties = _resolved(resource["Properties"], cloud, stack)
            cloud.client("cloudwatch").put_metric_alarm(
                AlarmName=f"{stack}-{logical_id}", **properties
            )


def _resolved(value: Any, cloud: Cloud, stack: str) -> Any:
    """Return a value of the template with what CloudFormation would put in its place.

    Raises:
        KeyError: a function or a name that no alarm has used so far.
    """
    match value:
        case list():
            return [_resolved(each, cloud, stack) for each in value]
        case {"Ref": "AWS::StackName"}:
            return stack
        case {"Ref": name}:
            return cloud.resources[name]
        case {"Fn::Join": [between, parts]}:
            return between.join(_resolved(parts, cloud, stack))
        case {"Fn::GetAtt": [name, "QueueName"]}:
            return cloud.resources[name].rsplit("/", 1)[-1]
        case {"Fn::GetAtt": [name, attribute]}:
            raise KeyError(f"{name}.{attribute}")
        case dict():
            return {key: _resolved(each, cloud, stack) for key, each in value.items()}
    return value
