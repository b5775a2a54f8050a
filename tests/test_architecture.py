"""Which room may import which: the arrows of docs/architecture.md, read from the source itself.

Every import counts, inside functions and under TYPE_CHECKING too, and so does a literal name given
to importlib.import_module. Tests and benchmarks may import anything.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset(
    {"app", "stacks", "lambdas", "certifier", "sandbox", "smoke", "handbook", "tests", "bench"}
)
PURE_LIBRARIES = frozenset({"cryptography", "pydantic", "pydantic_core"})


@dataclass(frozen=True)
class Room:
    """Files under ``paths`` and what they may import besides the standard library.

    ``ours`` are module prefixes of this repository, ``libraries`` top-level names of others;
    ``"*"`` is any library.
    """

    name: str
    paths: tuple[str, ...]
    ours: frozenset[str]
    libraries: frozenset[str]


# The first room whose path matches owns the file. What is in certifier/ and named by no room is
# pure, so a new module has to be made an edge here before it may touch the world.
EDGES = frozenset(
    {"certifier.aws", "certifier.cli", "certifier.probe", "certifier.report", "certifier.steps"}
)
PURE = Room("pure", ("certifier/",), frozenset({"certifier"}), PURE_LIBRARIES)
ROOMS = (
    Room("app", ("app.py",), frozenset({"stacks"}), frozenset({"aws_cdk"})),
    Room(
        "stacks",
        ("stacks/",),
        frozenset({"stacks", "certifier.models", "certifier.errors", "certifier.vocabulary"}),
        frozenset({"aws_cdk", "constructs", "jsii", "pydantic", "pydantic_core"}),
    ),
    Room(
        "lambdas",
        ("lambdas/",),
        frozenset({"lambdas", "certifier"}),
        frozenset({"aws_lambda_powertools", "pydantic"}),
    ),
    Room(
        "sandbox", ("sandbox/",), OURS - {"tests", "bench", "smoke", "handbook"}, frozenset({"*"})
    ),
    Room(
        "smoke",
        ("smoke/",),
        frozenset({"smoke", "certifier", "sandbox.acm", "sandbox.dms.switches", "sandbox.pki"}),
        frozenset({"boto3", "botocore", "rich"}),
    ),
    Room(
        "handbook",
        ("handbook/",),
        frozenset({"handbook", "certifier", "stacks.settings"}),
        frozenset({"annotated_types", "pydantic"}),
    ),
    Room(
        "aws adapters",
        ("certifier/aws/",),
        frozenset({"certifier"}),
        PURE_LIBRARIES | {"boto3", "botocore", "mypy_boto3"},
    ),
    Room(
        "probe",
        ("certifier/probe.py", "certifier/probe/"),
        frozenset({"certifier"}),
        PURE_LIBRARIES | {"pg8000", "scramp"},
    ),
    Room(
        "report",
        ("certifier/report.py", "certifier/report/"),
        frozenset({"certifier"}),
        PURE_LIBRARIES | {"jinja2"},
    ),
    Room("steps", ("certifier/steps/",), frozenset({"certifier"}), PURE_LIBRARIES),
    Room(
        "command line",
        ("certifier/cli.py", "certifier/cli/", "certifier/__main__.py"),
        frozenset({"certifier"}),
        PURE_LIBRARIES | {"rich"},
    ),
    PURE,
)
# An edge leans on no other edge; what puts a step or a command together leans on several.
MAY_IMPORT_EDGES = {
    "aws adapters": frozenset({"certifier.aws"}),
    "probe": frozenset({"certifier.probe"}),
    "report": frozenset({"certifier.report"}),
    "steps": EDGES - {"certifier.cli"},
    "command line": EDGES - {"certifier.steps"},
    "lambdas": EDGES - {"certifier.cli"},
    "sandbox": EDGES,
    "smoke": frozenset({"certifier.aws"}),
    "handbook": frozenset({"certifier.cli"}),
}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import; ``from a import b`` is ``a.b``, which holds a."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.ImportFrom():
                yield node.lineno, "<relative>"
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def within(name: str, prefixes: frozenset[str]) -> bool:
    """Whether the dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def allowed(room: Room, name: str) -> bool:
    """Whether a file of this room may import this name."""
    top = name.partition(".")[0]
    if top in OURS:
        if within(name, EDGES):
            return within(name, MAY_IMPORT_EDGES.get(room.name, frozenset()))
        return within(name, room.ours)
    if top in sys.stdlib_module_names or "*" in room.libraries:
        return True
    return top in room.libraries or (
        "mypy_boto3" in room.libraries and top.startswith("mypy_boto3_")
    )


def violations(root: Path) -> list[str]:
    """Every import under root that its room does not allow, as ``file:line: room imports name``."""
    files = [*root.glob("*.py"), *(f for top in OURS for f in (root / top).rglob("*.py"))]
    found = []
    for file in sorted(files):
        path = file.relative_to(root).as_posix()
        room = next((r for r in ROOMS if path.startswith(r.paths)), None)
        if room is not None:
            found += [
                f"{path}:{line}: {room.name} imports {name}"
                for line, name in imports(file.read_text(encoding="utf-8"))
                if not allowed(room, name)
            ]
    return found


def test_no_room_imports_what_the_arrows_forbid() -> None:
    """Every import in the repository follows the arrows."""
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("certifier/run/plan.py", "import boto3", "boto3"),
        ("certifier/run/plan.py", "def f():\n    from botocore.client import Config", "botocore"),
        ("certifier/models.py", "from certifier.aws import acm", "certifier.aws"),
        ("certifier/models.py", "from certifier import probe", "certifier.probe"),
        ("certifier/models.py", "import importlib; importlib.import_module('boto3')", "boto3"),
        ("certifier/brand_new.py", "import rich", "rich"),
        ("certifier/run/plan.py", "from . import aws", "<relative>"),
        ("certifier/aws/dms.py", "from certifier.probe import probe", "certifier.probe"),
        ("certifier/certificate.py", "from certifier.steps import claim", "certifier.steps"),
        ("certifier/steps/claim_source.py", "import boto3", "boto3"),
        ("certifier/cli.py", "from sandbox import aws", "sandbox"),
        ("lambdas/probe_tls.py", "import boto3", "boto3"),
        ("lambdas/probe_tls.py", "from mypy_boto3_dms import Client", "mypy_boto3_dms"),
        ("lambdas/probe_tls.py", "from certifier.cli import main", "certifier.cli"),
        ("stacks/functions.py", "from lambdas import probe_tls", "lambdas"),
        ("stacks/functions.py", "from certifier.run.plan import plan", "certifier.run.plan"),
        ("stacks/functions.py", "import boto3", "boto3"),
        ("sandbox/aws.py", "from tests.pki import make", "tests"),
        ("sandbox/aws.py", "from smoke import run", "smoke"),
        ("smoke/run.py", "from sandbox.world import World", "sandbox.world"),
        ("smoke/run.py", "from certifier.steps import claim_source", "certifier.steps"),
        ("handbook/source.py", "from stacks.workflow import Workflow", "stacks.workflow"),
        ("handbook/source.py", "from certifier.aws import dms", "certifier.aws"),
        ("app.py", "from certifier.models import Source", "certifier.models"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, path: str, line: str, name: str) -> None:
    """A forbidden import is found wherever it hides, and named with its file and line."""
    planted = tmp_path / path
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"import json\n{line}\n", encoding="utf-8")
    (found,) = violations(tmp_path)
    assert found.startswith(f"{path}:")
    assert f"imports {name}" in found


def test_the_arrows_that_the_rooms_need_are_open(tmp_path: Path) -> None:
    """What each room is meant to import is not a violation."""
    for path, line in (
        ("app.py", "import aws_cdk\nfrom stacks.certifier_stack import CertifierStack"),
        ("stacks/workflow.py", "from certifier.errors import Refused\nimport aws_cdk"),
        ("lambdas/probe_tls.py", "from certifier.probe import probe\nfrom certifier import plan"),
        ("certifier/steps/claim_source.py", "from certifier.aws.store import Store"),
        ("certifier/aws/dms.py", "import boto3\nfrom mypy_boto3_dms import Client"),
        ("certifier/probe.py", "import pg8000\nfrom certifier.hostname import matches"),
        ("certifier/cli.py", "import rich\nfrom certifier.aws import dms"),
        ("sandbox/aws.py", "import moto\nfrom lambdas import probe_tls\nimport app"),
        ("tests/unit/test_x.py", "import boto3, sandbox"),
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{line}\n", encoding="utf-8")
    assert violations(tmp_path) == []
