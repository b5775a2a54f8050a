"""Every ``aws`` command that the documents show, run by the real ``aws`` command, in their order.

What a command prints is looked at where the page says what to look at; what it says of a state in
which this account is not, is the error of the service, and never one about the command itself.
"""

import json
import re
from pathlib import Path

import pytest

from sandbox.pki import Authority
from tests.docs.markdown import ROOT, read
from tests.docs.shell import capture, commands
from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = read(ROOT / "docs/guide.md")
RUNBOOK = read(ROOT / "docs/operate/runbook.md")
OTHERS = ("docs/first-day.md", "docs/reference/causes.md")
PAGES = (
    "docs/operate/deploy.md",
    "docs/operate/permissions.md",
    "docs/operate/fleet-page.md",
)
_INLINE = re.compile(r"`(aws [^`]+)`")

# What a service may say, by the operation and a word of the command, where the account of this test
# is not in the state that the page is about.
SAID = {
    ("stop-execution", ""): ("ValidationException", "ExecutionDoesNotExist"),
    ("start-replication-task", ""): ("InvalidResourceStateFault",),
    ("delete-item", "PAUSE"): ("ConditionalCheckFailedException",),
    ("update-item", "due_at"): ("ConditionalCheckFailedException",),
    ("transact-write-items", "UNDO"): ("TransactionCanceledException",),
    ("delete-certificate", ""): ("InvalidResourceStateFault",),
}


def of_aws(text: str) -> list[tuple[str | None, str]]:
    """Every aws command of a document's blocks, with the name that takes its output."""
    return [(name, line) for name, line in map(capture, commands(text)) if line.split()[0] == "aws"]


def run(served: Served, line: str) -> str | None:
    """Run a command: what it prints; None when the service said what it may say."""
    done = served.run(line)
    if done.returncode == 0:
        return done.stdout.strip()
    may = next((s for (name, word), s in SAID.items() if name in line and word in line), ())
    assert any(f"({code})" in done.stderr for code in may), f"{line}\n{done.stderr}"
    return None


@pytest.fixture(scope="module")
def reader(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """An account in which orders is certified, and a folder with the files of the guide."""
    folder = tmp_path_factory.mktemp("reader")
    served.shell(f"certifier certify {served.folder}/orders.json")
    served.sandbox("do", "add-task")
    (folder / "certificates").mkdir()
    other = Authority.root("Another CA").certificate_pem.decode()
    root = json.loads(_secret(served, "dms/orders-tls"))["ca"]
    (folder / "certificates/root.crt").write_text(root)
    (folder / "both.pem").write_text(root + other)
    (folder / "eu-west-1-bundle.pem").write_text(other)
    (folder / "orders-secret.json").write_text(_secret(served, "dms/orders"))
    for line in (
        "aws rds create-db-instance --db-instance-identifier orders --engine postgres"
        " --db-instance-class db.t3.small --master-username u --master-user-password pa55word"
        " --allocated-storage 20",
        "aws rds create-db-parameter-group --db-parameter-group-name orders"
        " --db-parameter-group-family postgres14 --description orders",
    ):
        served.shell(line)
    served.variables |= {
        "ROLE": _output(served, "DmsSecretRole"),
        "INSTANCE": json.loads((served.folder / "orders.json").read_text())[
            "replication_instances"
        ][0],
        "FOLDER": str(folder),
    }
    return served


def _secret(served: Served, name: str) -> str:
    return served.shell(
        f"aws secretsmanager get-secret-value --secret-id {name} --query SecretString --output text"
    )


def _output(served: Served, name: str) -> str:
    return served.shell(
        "aws cloudformation describe-stacks --stack-name Certifier --output text --query"
        f" \"Stacks[0].Outputs[?OutputKey=='{name}'].OutputValue\""
    )


def test_the_commands_of_the_guide(reader: Served) -> None:
    """By hand: a CA is imported, an endpoint made, tested, changed, and the CA replaced."""
    said: dict[str, str | None] = {}
    for name, line in of_aws(GUIDE):
        printed = run(reader, f'cd "$FOLDER" && {line}')
        said[line.split()[2]] = printed
        if name is not None:
            assert printed, line
            assert printed != "None", line
            reader.variables[name] = printed
            continue
        if "describe-connections" in line:
            assert str(printed).split("\t")[1] == "successful"
        if "SslMode" in line:
            assert str(printed).split("\t") == ["verify-full", reader.variables["CERTIFICATE"]]
    assert "orders" in str(said["describe-db-instances"])


def test_the_commands_of_the_runbook(reader: Served) -> None:
    """At night: each is a command that AWS takes, and prints what the page says to look at."""
    for name, line in of_aws(RUNBOOK):
        if name is not None:
            reader.variables[name] = reader.shell(line)
    machine = reader.variables["MACHINE"]
    executions = reader.json(f"aws stepfunctions list-executions --state-machine-arn {machine}")
    tasks = reader.json("aws dms describe-replication-tasks")["ReplicationTasks"]
    endpoints = reader.json("aws dms describe-endpoints")["Endpoints"]
    (orders,) = (e for e in endpoints if e["EndpointIdentifier"] == "orders-source")
    reader.variables |= {
        "EXECUTION": executions["executions"][0]["executionArn"],
        "CLAIM_EXECUTION": executions["executions"][0]["executionArn"],
        "TASK": next(
            t["ReplicationTaskArn"] for t in tasks if "orders" in t["ReplicationTaskIdentifier"]
        ),
        "CERTIFICATE": orders["CertificateArn"],
        "ENDPOINT": next(e["EndpointArn"] for e in endpoints if "crm-s" in e["EndpointIdentifier"]),
        "CANARY": next(e["EndpointArn"] for e in endpoints if "shop" in e["EndpointIdentifier"]),
    }
    said: dict[str, str | None] = {}
    for name, line in of_aws(RUNBOOK):
        if name is None:
            said[line] = run(reader, line)
    shown = {line.split()[2]: printed for line, printed in said.items()}
    assert str(shown["describe-replication-tasks"]).split("\t")[0] == "running"
    items = next(json.loads(str(p)) for line, p in said.items() if "SOURCE#orders" in line)
    assert {item["sk"]["S"] for item in items["Items"]} == {"STATE"}
    assert json.loads(str(shown["modify-endpoint"]))["Endpoint"]["SslMode"] == "verify-ca"
    assert json.loads(str(shown["delete-endpoint"]))["Endpoint"]["Status"] == "deleting"


def test_the_commands_of_other_pages(reader: Served) -> None:
    """Which versions are the stack's, what a secret holds, and the pages on the laptop."""
    reader.variables["BUCKET"] = _output(reader, "BucketName")
    lines = [line for page in PAGES for _, line in of_aws(read(ROOT / page))]
    assert len(lines) >= 4
    printed = {line.split()[2]: run(reader, f'cd "$FOLDER" && {line}') for line in lines}
    functions = reader.json("aws lambda list-functions --query 'Functions[].FunctionName'")
    steps = [name for name in functions if name.startswith("Certifier-Steps")]
    assert len(json.loads(str(printed["list-stack-resources"]))) == len(steps)
    assert list(Path(reader.variables["FOLDER"]).rglob("records/orders/*.html"))


def test_commands_in_passing_are_commands(reader: Served) -> None:
    """Commands inside sentences: each is one that the aws command has."""
    found = {
        match
        for document in (*OTHERS, *PAGES, "docs/guide.md", "docs/operate/runbook.md")
        for match in _INLINE.findall(read(ROOT / document))
    }
    assert len(found) >= 5
    for command in found:
        _, *words = command.split()
        named = " ".join(words[:2])  # a service alone, or one of its operations
        done = reader.run(f"aws {named} help < /dev/null | head -c 400 | cat")
        assert "Invalid choice" not in done.stderr, command
        assert "NAME" in re.sub(".\b", "", done.stdout), f"{command}: {done.stderr}"


def test_every_page_with_a_command_is_among_these() -> None:
    """A new page with an aws command needs a place here."""
    pages = {
        str(path.relative_to(ROOT))
        for path in Path(ROOT / "docs").rglob("*.md")
        if re.search(r"`aws [a-z]|^aws [a-z]|\$\(aws ", path.read_text("utf-8"), re.MULTILINE)
    }
    assert pages <= {
        *OTHERS,
        *PAGES,
        "docs/guide.md",
        "docs/operate/runbook.md",
        "docs/aws-facts.md",
    }
