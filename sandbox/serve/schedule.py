"""The schedule of a served account, which moto's CloudFormation leaves out of the stack."""

from typing import Any

from sandbox.aws.cloud import Cloud

TYPE = "AWS::Scheduler::Schedule"


def add_schedule(cloud: Cloud, stack: str) -> None:
    """Make the template's schedule, named after the stack, as CloudFormation names it.

    Nothing in moto runs it: the account starts the machine itself, while :func:`is_enabled`.
    """
    for logical_id, properties in _schedules(cloud):
        target = properties["Target"]
        cloud.client("scheduler").create_schedule(
            Name=f"{stack}-{logical_id}",
            ScheduleExpression=properties["ScheduleExpression"],
            FlexibleTimeWindow=properties["FlexibleTimeWindow"],
            State=properties["State"],
            Target={
                "Arn": cloud.machine_arn,
                "RoleArn": f"arn:aws:iam::123456789012:role/{stack}-{logical_id}",
                "Input": target["Input"],
            },
        )


def is_enabled(cloud: Cloud, stack: str) -> bool:
    """Whether the schedule is there and enabled: a person may have disabled or deleted it."""
    found = cloud.client("scheduler").list_schedules(NamePrefix=f"{stack}-")["Schedules"]
    return any(each["State"] == "ENABLED" for each in found)


def _schedules(cloud: Cloud) -> list[tuple[str, Any]]:
    return [
        (logical_id, resource["Properties"])
        for logical_id, resource in cloud.template["Resources"].items()
        if resource["Type"] == TYPE
    ]
