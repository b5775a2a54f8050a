"""No module of the tests or the sandbox mixes a day of its own with the machine's."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.on_days import ROOMS

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    path.relative_to(ROOT) for room in ("tests", "sandbox") for path in (ROOT / room).rglob("*.py")
)
CLOCKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"})
# Where the sandbox reads it, and what does so unless it is given this argument.
# The served account reads it only while no world is open, of which no test has the clock.
READ_IN = {"acm.py", "aws/clock.py", "dms/standin.py", "pki/signing.py", "serve/account.py"}
BY_DEFAULT = {
    "Authority.root": "not_before",
    "self_signed": "not_before",
    "AcmStandIn": "clock",
    "DmsStandIn": "clock",
    "Clock": "start",
    "Cloud.start": "clock",
    "World.start": "clock",
}
NOW = "datetime(2026, 11, 24, tzinfo=UTC)"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_mixes_a_day_of_its_own_with_the_machines(path: Path) -> None:
    """It passes on one day, and fails when the machine's has moved far enough."""
    assert mixed((ROOT / path).read_text(encoding="utf-8")) == []


def test_the_sandbox_reads_the_clock_in_few_places() -> None:
    """A new one needs its row in the table above, or the test before this one does not see it."""
    room = ROOT / "sandbox"
    assert {
        path.relative_to(room).as_posix()
        for path in room.rglob("*.py")
        if CLOCKS
        & {_reads_the_clock(node) for node in ast.walk(ast.parse(path.read_text("utf-8")))}
    } == READ_IN


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_reads_a_clock_while_it_is_imported(room: str) -> None:
    """``tests.on_days`` imports these rooms on the machine's day, for the tests of other days."""
    paths = sorted((ROOT / room).rglob("*.py"))
    assert paths
    for path in paths:
        assert read_at_import(path.read_text(encoding="utf-8")) == [], path


def test_a_clock_that_is_read_while_importing_is_found() -> None:
    """In a class too, but not where a function is only made."""
    text = "class Clock:\n    start = datetime.now(UTC)\n    def now(self): return time.time()"
    assert read_at_import(text) == ["datetime.now"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"NOW = {NOW}\ndef f(): return datetime.now(UTC)", ["datetime.now"]),
        (f"NOW = {NOW}\nROOT = Authority.root('Root')", ["Authority.root"]),
        (f"NOW = {NOW}\nROOT = Authority.root('Root', not_before=NOW)", []),
        (f"NOW = {NOW}\nROOT = Authority.root('Root', **dated())", []),
        ("class Clock:\n    start = 1_800_000_000.0\nAcmStandIn()", ["AcmStandIn"]),
        (f"NOW = {NOW}\nwith Cloud.start(hosts={{}}): ...", ["Cloud.start"]),
        ("from tests.aws.certifications import NOW\nself_signed()", ["self_signed"]),
        ("def f():\n    old = datetime(2001, 1, 1, tzinfo=UTC)\n    datetime.now(UTC)", []),
        ("NOW = datetime.now(UTC)\nROOT = Authority.root('Root')", []),
    ],
)
def test_a_mixture_is_found(text: str, found: list[str]) -> None:
    """A day that a whole module goes by is fixed; a date inside of one test is that test's."""
    assert mixed(text) == found


def mixed(text: str) -> list[str]:
    """Return what reads the machine's clock in a module that goes by a fixed day."""
    tree = ast.parse(text)
    if not any(_is_fixed_day(node) for node in _outside_functions(tree)):
        return []
    return [name for node in ast.walk(tree) if (name := _reads_the_clock(node))]


def read_at_import(text: str) -> list[str]:
    """Return the clocks that a module reads while it is imported."""
    nodes = _outside_functions(ast.parse(text))
    return [name for node in nodes if (name := _reads_the_clock(node)) in CLOCKS]


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _outside_functions(node)


def _is_fixed_day(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name("datetime"), args=[ast.Constant(), *_]):
            return True
        case ast.Constant(int() | float() as number):
            return 1.5e9 < number < 2.5e9  # seconds since the epoch
        case ast.ImportFrom(module=str(module), names=names):
            return module.startswith("tests.") and any(one.name == "NOW" for one in names)
    return False


def _reads_the_clock(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute() if (name := ast.unparse(node)) in CLOCKS:
            return name
        case ast.Call(func=func, keywords=given) if (name := ast.unparse(func)) in BY_DEFAULT:
            return None if {one.arg for one in given} & {BY_DEFAULT[name], None} else name
    return None
