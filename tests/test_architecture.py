"""The shape of the repository: which room may import which, no circles, one name for one class.

The arrows are those of docs/architecture.md, read from the source itself. Every import counts,
inside functions and under TYPE_CHECKING too, and so does a literal name given to
importlib.import_module. Tests and benchmarks may import anything.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from certifier.run.documents import LEFT_BY

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
    {
        "certifier.aws",
        "certifier.cli",
        "certifier.probe",
        "certifier.report",
        "certifier.roots",
        "certifier.steps",
    }
)
PURE = Room("pure", ("certifier/",), frozenset({"certifier"}), PURE_LIBRARIES)
ROOMS = (
    Room("app", ("app.py",), frozenset({"stacks"}), frozenset({"aws_cdk"})),
    Room(
        "stacks",
        ("stacks/",),
        frozenset(
            {
                "stacks",
                "certifier.models",
                "certifier.errors",
                "certifier.ownership",
                "certifier.version",
                "certifier.vocabulary",
            }
        ),
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
    Room("roots", ("certifier/roots/",), frozenset({"certifier"}), PURE_LIBRARIES | {"certifi"}),
    Room("steps", ("certifier/steps/",), frozenset({"certifier"}), PURE_LIBRARIES),
    Room(
        "command line",
        ("certifier/cli.py", "certifier/cli/", "certifier/__main__.py"),
        frozenset({"certifier"}),
        PURE_LIBRARIES | {"rich", "shtab"},
    ),
    PURE,
)
# An edge leans on no other edge; what puts a step or a command together leans on several.
MAY_IMPORT_EDGES = {
    "aws adapters": frozenset({"certifier.aws"}),
    "probe": frozenset({"certifier.probe"}),
    "report": frozenset({"certifier.report"}),
    "roots": frozenset({"certifier.roots"}),
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
        ("certifier/roots/fetch.py", "import boto3", "boto3"),
        ("certifier/source.py", "from certifier.roots import Roots", "certifier.roots"),
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


# -- no circles


def modules(root: Path, package: str) -> Mapping[str, Path]:
    """The modules of a package by their dotted names."""
    found = {}
    for file in sorted((root / package).rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported_modules(root: Path, package: str) -> Mapping[str, frozenset[str]]:
    """For each module of a package, the other modules of the package that it imports."""
    known = modules(root, package)
    return {
        name: frozenset(
            target
            for _, each in imports(file.read_text(encoding="utf-8"))
            if (target := _module(each, known)) not in (None, name)
        )
        for name, file in known.items()
    }


def _module(name: str, known: Mapping[str, Path]) -> str | None:
    """The module that a dotted name is, or is defined in."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def circle(root: Path, package: str) -> list[str]:
    """The modules of one import circle, in their order; empty when there is none."""
    try:
        TopologicalSorter(imported_modules(root, package)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", sorted(OURS - {"app"}))
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    """Each module can be read, and imported, after those that it stands on."""
    assert modules(ROOT, package)
    assert circle(ROOT, package) == []


def plant(root: Path, files: Mapping[str, str]) -> None:
    """Write Python files below a folder."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    """One that goes through a package and hides in a function."""
    plant(
        tmp_path,
        {
            "certifier/a.py": "from certifier.b import x",
            "certifier/b/__init__.py": "def f():\n    from certifier import c",
            "certifier/c.py": "from certifier.a import y",
            "certifier/d.py": "from certifier.a import y",
        },
    )
    assert set(circle(tmp_path, "certifier")) == {"certifier.a", "certifier.b", "certifier.c"}
    (tmp_path / "certifier/c.py").unlink()
    assert circle(tmp_path, "certifier") == []


# -- the steps


def steps(root: Path) -> frozenset[str]:
    """The names of the steps: each is one file in lambdas/."""
    return frozenset(
        file.stem for file in (root / "lambdas").glob("*.py") if not file.stem.startswith("_")
    )


def steps_that_import_steps(root: Path) -> list[str]:
    """Every import of one step's module by another's, as ``step imports step``."""
    names = {f"certifier.steps.{name}" for name in steps(root)}
    graph = imported_modules(root, "certifier")
    return sorted(
        f"{name} imports {other}" for name in names & graph.keys() for other in names & graph[name]
    )


def test_no_step_imports_a_step() -> None:
    """What two steps share is in a module that belongs to no step."""
    assert len(steps(ROOT)) > 10
    assert steps_that_import_steps(ROOT) == []


def test_a_planted_import_between_steps_is_found(tmp_path: Path) -> None:
    """By either way to write it; what is shared may be imported."""
    plant(
        tmp_path,
        {
            "lambdas/_step.py": "",
            "lambdas/one.py": "",
            "lambdas/two.py": "",
            "certifier/steps/one.py": "from certifier.steps import two, shared",
            "certifier/steps/two.py": "from certifier.steps.shared import x",
            "certifier/steps/shared.py": "x = 1",
        },
    )
    assert steps_that_import_steps(tmp_path) == ["certifier.steps.one imports certifier.steps.two"]


OF_THE_WHOLE_EXECUTION = {"register_sources", "select_sources", "tidy", "report"}


def test_every_step_of_a_certification_has_a_row_in_the_table_of_documents() -> None:
    """Otherwise what it leaves, its refusal too, is written and never read."""
    assert set(LEFT_BY) == steps(ROOT) - OF_THE_WHOLE_EXECUTION


# -- names


def classes(root: Path) -> Mapping[str, list[str]]:
    """Where each class of the product is defined, by its name."""
    found: dict[str, list[str]] = {}
    for top in ("certifier", "stacks", "lambdas"):
        for file in sorted((root / top).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    where = f"{file.relative_to(root).as_posix()}:{node.lineno}"
                    found.setdefault(node.name, []).append(where)
    return found


def twice(root: Path) -> dict[str, list[str]]:
    """The class names that stand for more than one class."""
    return {name: places for name, places in classes(root).items() if len(places) > 1}


def test_a_class_name_exists_once_in_the_product() -> None:
    """A name in a review, a traceback or a search means one thing."""
    assert twice(ROOT) == {}


def test_a_planted_second_class_of_a_name_is_found(tmp_path: Path) -> None:
    """Also one inside a function, and in another package."""
    plant(
        tmp_path,
        {
            "certifier/a.py": "class Plan: ...",
            "stacks/b.py": "def f():\n    class Plan: ...",
            "lambdas/c.py": "class Other: ...",
        },
    )
    assert twice(tmp_path) == {"Plan": ["certifier/a.py:1", "stacks/b.py:2"]}
