"""Every ``aws`` command that a finding names, typed in the served account.

What a command prints is not looked at. It is one that the service takes: what it refuses, it
refuses because of the state of this account, with the code that AWS has for it.
"""

import re
from collections.abc import Iterator, Mapping

import pytest

from certifier.diagnosis import CATALOGUE
from tests.docs.markdown import ROOT
from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TASK = '--replication-task-arn "$TASK"'
ENDS: Mapping[str, str] = {
    "secretsmanager describe-secret": "--secret-id dms/orders",
    "s3 ls": "",
    "acm list-certificates": "--includes keyTypes=RSA_2048,EC_prime256v1",
    "acm describe-certificate": '--certificate-arn "$COPY"',
    "acm export-certificate": '--certificate-arn "$COPY" --passphrase cGFzc3dvcmQ=',
    "dms describe-replication-instances": "",
    "dms describe-account-attributes": "",
    "dms describe-endpoints": "--filters Name=endpoint-id,Values=orders-source",
    "dms describe-replication-tasks": '--filters Name=replication-task-arn,Values="$TASK"',
    "dms stop-replication-task": TASK,
    "dms start-replication-task": f"--start-replication-task-type resume-processing {TASK}",
    "dms stop-replication": '--replication-config-arn "$CONFIG"',
    "dms start-replication": "--start-replication-type resume-processing"
    ' --replication-config-arn "$CONFIG"',
    "dms delete-certificate": '--certificate-arn "$CERTIFICATE"',
    "dms delete-endpoint": '--endpoint-arn "$ENDPOINT"',
}
"""What a person adds to each, in whose place a finding has ARN, or nothing."""
MAY_SAY: Mapping[str, tuple[str, ...]] = {
    "acm export-certificate": ("ValidationException",),  # an imported one is not exported
    "dms stop-replication": ("ResourceNotFoundFault",),
    "dms start-replication": ("ResourceNotFoundFault",),
    "dms delete-certificate": ("InvalidResourceStateFault",),
    "dms delete-endpoint": ("InvalidResourceStateFault",),
    "dms start-replication-task": ("InvalidResourceStateFault",),
    "dms stop-replication-task": ("InvalidResourceStateFault",),
}


def printed() -> Iterator[str]:
    """Yield service and operation of each command in the remedies of the catalogue."""
    for row in CATALOGUE.values():
        yield from re.findall(r"`aws ([a-z0-9]+ [a-z0-9-]+)", row.remedy)


def test_every_command_of_a_remedy_is_here() -> None:
    """One that is new gets its row."""
    assert set(printed()) == set(ENDS)


@pytest.fixture(scope="module")
def account(served: Served) -> Served:
    """An account in which orders is certified, and its task runs."""
    served.shell(f"certifier certify {served.folder}/orders.json")
    served.sandbox("do", "add-task")
    (orders,) = served.json(
        "aws dms describe-endpoints --filters Name=endpoint-id,Values=orders-source"
    )["Endpoints"]
    served.variables |= {
        "ENDPOINT": orders["EndpointArn"],
        "CERTIFICATE": orders["CertificateArn"],
        "TASK": next(
            task["ReplicationTaskArn"]
            for task in served.json("aws dms describe-replication-tasks")["ReplicationTasks"]
            if orders["EndpointArn"] in (task["SourceEndpointArn"], task["TargetEndpointArn"])
        ),
        "COPY": served.shell(
            "aws acm list-certificates --includes keyTypes=RSA_2048,EC_prime256v1 --output text"
            " --query 'CertificateSummaryList[0].CertificateArn'"
        ),
        "CONFIG": orders["EndpointArn"].replace(":endpoint:", ":replication-config:"),
    }
    return served


@pytest.mark.parametrize("command", ENDS)
def test_a_command_of_a_remedy_is_answered(account: Served, command: str) -> None:
    """With what it asks for, or with what AWS says of this state."""
    done = account.run(f"aws {command} {ENDS[command]}")
    if done.returncode:
        assert any(f"({code})" in done.stderr for code in MAY_SAY.get(command, ())), done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "sts get-caller-identity",
        'stepfunctions list-executions --state-machine-arn "$MACHINE" --status-filter FAILED',
        'sqs receive-message --queue-url "$QUEUE" --visibility-timeout 0',
        'dms add-tags-to-resource --resource-arn "$ENDPOINT" --tags Key=a,Value=b',
        'dms remove-tags-from-resource --resource-arn "$ENDPOINT" --tag-keys a',
        "secretsmanager tag-resource --secret-id dms/orders --tags Key=a,Value=b",
        "scheduler list-schedules --name-prefix Certifier-",
        "cloudwatch describe-alarms --alarm-name-prefix Certifier-",
    ],
)
def test_a_command_that_a_person_is_shown_elsewhere_is_answered(
    account: Served, command: str
) -> None:
    """By ``doctor``, an alarm, a missing consent, the runbook."""
    shown = account.json("aws cloudformation describe-stacks --stack-name Certifier")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in shown["Stacks"][0]["Outputs"]}
    account.variables |= {"MACHINE": outputs["StateMachine"], "QUEUE": outputs["UndeliveredQueue"]}
    account.shell(f"aws {command}")


def test_the_alarms_of_the_stack_are_there_with_what_to_type_first(account: Served) -> None:
    """Nobody evaluates them here; a state is set by hand, and the first command is one."""
    shown = account.json("aws cloudwatch describe-alarms --alarm-name-prefix Certifier-")
    alarms = {each["AlarmName"]: each for each in shown["MetricAlarms"]}
    assert len(alarms) == 9
    for name, alarm in alarms.items():
        described = str(alarm["AlarmDescription"])
        first = re.search(r"First: (.+?)\. Then: (\S+)", described)
        assert first is not None, described
        account.shell(first[1])
        assert (ROOT / first[2].partition("#")[0]).is_file(), name
    name = next(iter(alarms))
    account.shell(
        f"aws cloudwatch set-alarm-state --alarm-name {name} --state-value ALARM"
        " --state-reason tried"
    )
    ringing = account.json("aws cloudwatch describe-alarms --state-value ALARM")["MetricAlarms"]
    assert [each["AlarmName"] for each in ringing] == [name]
