"""Over HTTP alone, with the commands of Certifier and of AWS: from discover to forget."""

import pytest

from tests.docs.markdown import ROOT, read
from tests.docs.shell import capture, commands
from tests.served.conftest import Served

RUNBOOK = read(ROOT / "docs/operate/runbook.md")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def runbook(operation: str, word: str = "") -> str:
    """The one command of the runbook of this operation with that word in it."""
    lines = {capture(line)[1] for line in commands(RUNBOOK)}
    (found,) = {line for line in lines if operation in line.split() and word in line}
    return found


def trusted(served: Served) -> str:
    """The PEM that the endpoint of orders trusts."""
    arn = served.shell(
        "aws dms describe-endpoints --filters Name=endpoint-id,Values=orders-source"
        " --query 'Endpoints[0].CertificateArn' --output text"
    )
    return served.shell(
        f"aws dms describe-certificates --filters Name=certificate-arn,Values={arn}"
        " --query 'Certificates[0].CertificatePem' --output text"
    )


def named_variables(served: Served) -> None:
    """Set the names that the runbook sets at its beginning, by its commands."""
    for line in commands(RUNBOOK):
        name, text = capture(line)
        if name is not None:
            served.variables[name] = served.shell(text)


def certify(served: Served, outcome: str) -> str:
    """Certify orders until it ends so; return what the command printed."""
    done = served.run("certifier certify orders")
    assert done.returncode == (0 if outcome == "certified" else 1), done.stdout + done.stderr
    assert f"orders  {outcome.replace('_', ' ')}" in done.stdout
    return done.stdout


def test_the_whole_story(served: Served) -> None:
    """Discover, plan, certify, rotate, break, roll back, repair by the runbook, forget."""
    # discover
    found = served.json("certifier discover --json")
    seen = {each["identifier"]: each for each in found}
    assert seen["billing-source"]["ssl_mode"] == "verify-full"
    assert seen["inventory-source"]["ssl_mode"] == "none"
    assert "orders-source" not in seen

    # a plan makes nothing
    file = served.folder / "orders.json"
    planned = served.json(f"certifier certify {file} --plan --json")
    assert [line["outcome"] for line in planned["summary"]["lines"]] == ["planned"]
    missing = served.run(
        "aws dms describe-endpoints --filters Name=endpoint-id,Values=orders-source"
    )
    assert missing.returncode != 0
    assert "(ResourceNotFoundFault)" in missing.stderr

    # certify, and see it move through the states
    shown = served.shell(f"certifier certify {file}")
    assert "orders: certified" in shown
    states = {line.removeprefix("orders: ") for line in shown.splitlines() if ": " in line}
    assert len(states - {"waiting", "running", "certified"}) >= 1
    first = trusted(served)

    # rotate, under a task
    task = served.sandbox("do", "add-task").rpartition(": ")[2]
    assert "dms/orders-tls has it" in served.sandbox("do", "renew")
    served.until(lambda: trusted(served) != first)
    served.until(
        lambda: served.status()["outcome"] == "certified" and not served.status()["running"]
    )
    running = "aws dms describe-replication-tasks --query 'ReplicationTasks[].Status' --output text"
    assert set(served.shell(running).split()) == {"running"}

    # break: the rehearsal passes, the change does not connect
    second = trusted(served)
    served.sandbox("do", "break-after-change")
    served.sandbox("do", "renew-ahead")
    served.until(lambda: served.status()["outcome"] == "rolled_back")
    assert trusted(served) == second
    assert "Subject: Certifier eu-west-1: orders rolled back" in served.sandbox("mail")
    served.sandbox("do", "repair")
    served.sandbox("do", "reload")
    certify(served, "certified")

    # the task does not restart; repaired by the runbook's commands
    served.sandbox("do", "task-will-not-restart")
    served.sandbox("do", "renew")
    served.until(lambda: bool(served.status()["pending_restarts"]))
    served.variables |= {"TASK": task}
    named_variables(served)
    pauses = served.json(runbook("query", "PAUSE"))
    assert [item["sk"]["S"] for item in pauses["Items"]] == [task]
    status, _, message = served.shell(runbook("describe-replication-tasks")).split("\t")
    assert (status, "is active for PID" in message) == ("failed", True)
    served.sandbox("do", "repair")
    started = served.run(runbook("start-replication-task"))  # or the schedule was faster
    assert started.returncode == 0 or "InvalidResourceState" in started.stderr
    served.until(lambda: served.shell(runbook("describe-replication-tasks"))[:7] == "running")
    served.until(lambda: served.run("certifier certify orders").returncode == 0)
    assert served.json(runbook("query", "PAUSE"))["Items"] == []

    # killed in the middle; the runbook shows the undo log, and the next run finishes
    served.sandbox("do", "kill")
    served.sandbox("do", "renew")
    undo = runbook("get-item", "UNDO")
    served.until(lambda: bool(served.run(undo).stdout.strip()))
    served.until(lambda: not served.run(undo).stdout.strip(), 180)
    served.until(lambda: served.run("certifier certify orders").returncode == 0)

    # forget
    served.until(lambda: served.run(runbook("forget")).returncode == 0)
    assert "not a registered source" in served.run("certifier status orders").stderr


def test_a_stopped_task_is_started_by_the_runbook(served: Served) -> None:
    """Its command starts a task that was stopped; the waiters of the aws command see both."""
    task = served.shell(
        "aws dms describe-replication-tasks --output text --query"
        " 'ReplicationTasks[0].ReplicationTaskArn'"
        " --filters Name=replication-task-id,Values=events-to-warehouse"
    )
    served.variables["TASK"] = task
    chosen = f"--filters Name=replication-task-arn,Values={task}"
    served.shell(f"aws dms stop-replication-task --replication-task-arn {task}")
    served.shell(f"aws dms wait replication-task-stopped {chosen}")
    served.shell(runbook("start-replication-task"))
    served.until(lambda: served.shell(runbook("describe-replication-tasks"))[:7] == "running")
    served.shell(f"aws dms wait replication-task-running {chosen}")


def test_a_new_value_of_a_secret_starts_a_run(served: Served) -> None:
    """PutSecretValue raises the label event, which starts an execution."""
    named_variables(served)
    count = (
        'aws stepfunctions list-executions --state-machine-arn "$MACHINE"'
        " --query 'executions[].executionArn' --output text"
    )
    secret = "aws secretsmanager get-secret-value --secret-id dms/orders"
    value = served.shell(f"{secret} --query SecretString --output text")
    served.variables["VALUE"] = value

    def events() -> int:
        inputs = [
            served.json(f"aws stepfunctions describe-execution --execution-arn {arn}")["input"]
            for arn in served.shell(count).split()[:3]
        ]
        return sum("Secret Label Updated" in text and "dms/orders" in text for text in inputs)

    before = events()
    served.shell(
        'aws secretsmanager put-secret-value --secret-id dms/orders --secret-string "$VALUE"'
    )
    served.until(lambda: events() > before)


def test_what_is_not_served_says_so(served: Served) -> None:
    """Another service is named; a request from elsewhere, or without a signature, is refused."""
    assert "does not serve ec2" in served.run("aws ec2 describe-vpcs").stderr
    url = served.account["url"]
    plain = served.shell(f"curl -s -o /dev/null -w '%{{http_code}}' {url}/")
    other = served.shell(f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Host: evil.example' {url}/")
    page = served.shell(
        f"curl -s -o /dev/null -w '%{{http_code}}' -X POST -d '{{}}' {url}/_sandbox/reset"
    )
    assert (plain, other, page) == ("403", "403", "403")
