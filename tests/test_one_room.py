"""One fact in one room: what is written in one module is not written again in another.

A copy of a list, of a tag's name or of an order is right on the day it is made. What can be seen
in the source is held here; docs/architecture.md says where a new fact of each kind belongs.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from certifier import errors, ownership
from certifier.endpoint.fields import _IDENTITY
from certifier.errors import Retryable, concrete
from certifier.models import Policy
from certifier.vocabulary import Severity

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("certifier", "stacks", "lambdas", "handbook")
WITH_SANDBOX = (*PRODUCT, "sandbox", "smoke")
Matches = Callable[[ast.AST], bool]


def literal(*texts: str) -> Matches:
    """A string that is one of these, written out."""
    wanted = frozenset(texts)
    return lambda node: isinstance(node, ast.Constant) and node.value in wanted


def _severity(node: ast.AST) -> str | None:
    """The severity that an expression names: ``Severity.ERROR``, or the word."""
    match node:
        case ast.Attribute(value=ast.Name(id="Severity"), attr=name):
            return name.lower()
        case ast.Constant(value=str(word)) if word in set(Severity):
            return word
        case _:
            return None


def severities_in_order(node: ast.AST) -> bool:
    """A list or tuple of all severities, which is an order of them."""
    if not isinstance(node, ast.Tuple | ast.List):
        return False
    return {_severity(one) for one in node.elts} == set(Severity)


def refusal_from_findings(node: ast.AST) -> bool:
    """``Refused(x.cause, ...)`` or ``Refused(x[0].cause, ...)``: a refusal made from findings."""
    match node:
        case ast.Call(func=ast.Name(id="Refused"), args=[ast.Attribute(attr="cause"), *_]):
            return True
        case _:
            return False


def opening(node: ast.AST) -> bool:
    """``open(...)``, or ``x.read_bytes()`` and ``x.read_text()``."""
    match node:
        case ast.Call(func=ast.Name(id="open")):
            return True
        case ast.Call(func=ast.Attribute(attr="read_bytes" | "read_text")):
            return True
        case _:
            return False


def comparison_of_identities(node: ast.AST) -> bool:
    """``x.secret_id == y`` and the like, where two spellings can mean the same thing."""
    if not isinstance(node, ast.Compare):
        return False
    equal = any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
    sides = (node.left, *node.comparators)
    return equal and any(isinstance(s, ast.Attribute) and s.attr in _IDENTITY for s in sides)


def policy_setting(node: ast.AST) -> bool:
    """A field of the certificate policy, with its bounds and its default."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return name in Policy.model_fields
        case _:
            return False


@dataclass(frozen=True)
class Fact:
    """Something that is written in ``rooms`` alone, among the files of ``tops``."""

    name: str
    rooms: frozenset[str]
    matches: Matches
    tops: tuple[str, ...] = PRODUCT


TAGS = tuple(value for name, value in vars(ownership).items() if name.endswith("_TAG"))
FACTS = (
    Fact("the certificate policy", frozenset({"certifier/models.py"}), policy_setting),
    Fact(
        "when two values of an endpoint's field are the same",
        frozenset(),
        comparison_of_identities,
        ("certifier", "lambdas"),
    ),
    Fact(
        "the tags of what is ours and of what an owner lets us use",
        frozenset({"certifier/ownership.py"}),
        literal(*(tag for tag in TAGS if ":" in tag), ownership.CANARY_RESOURCES),
        WITH_SANDBOX,
    ),
    Fact(
        "the kinds of key that ACM takes",
        frozenset({"certifier/certificate/acm.py"}),
        literal("RSA_1024", "RSA_3072"),
    ),
    Fact(
        "the engines of an endpoint",
        frozenset({"certifier/source.py"}),
        literal("aurora-postgresql-serverless"),
        WITH_SANDBOX,
    ),
    Fact(
        "the order of severities",
        frozenset(),
        severities_in_order,
        WITH_SANDBOX,
    ),
    Fact(
        "which errors pass by themselves",
        frozenset({"certifier/errors.py"}),
        literal(*(kind.__name__ for kind in concrete(Retryable)), *errors.LAMBDA_UNAVAILABLE),
    ),
    Fact(
        "which cause a refusal has that is made from findings",
        frozenset(),
        refusal_from_findings,
    ),
    Fact(
        "how a command reads a file that a person names",
        frozenset({"certifier/cli/given_files.py", "certifier/cli/make_certificates.py"}),
        opening,
        ("certifier/cli",),
    ),
)


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Everything that a file is made of."""
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def places(root: Path, fact: Fact) -> Iterator[str]:
    """The files in which a fact is written."""
    for top in fact.tops:
        for file in sorted((root / top).rglob("*.py")):
            if any(map(fact.matches, nodes(file))):
                yield file.relative_to(root).as_posix()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_is_written_in_its_room_alone(fact: Fact) -> None:
    """Whoever changes it finds it in one place."""
    assert set(places(ROOT, fact)) <= fact.rooms


PLANTED = {
    "the certificate policy": "class Own(Fact):\n    warning_days: int = 30",
    "when two values of an endpoint's field are the same": "same = now.secret_id == source.arn",
    "the tags of what is ours and of what an owner lets us use": 'TAG = "certifier:source"',
    "the kinds of key that ACM takes": 'KINDS = ("RSA_1024", "RSA_2048")',
    "the engines of an endpoint": 'if engine == "aurora-postgresql-serverless": ...',
    "the order of severities": 'ORDER = ["error", Severity.WARNING, "advice"]',
    "which errors pass by themselves": 'PASSING = {"Throttled"}',
    "which cause a refusal has that is made from findings": (
        "def f(): raise Refused(errors[0].cause, findings=errors)"
    ),
    "how a command reads a file that a person names": "data = Path(args.file).read_bytes()",
}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_planted_second_place_is_found(fact: Fact, tmp_path: Path) -> None:
    """Each rule sees a copy."""
    file = tmp_path / fact.tops[0] / "new.py"
    file.parent.mkdir(parents=True)
    file.write_text(PLANTED[fact.name], encoding="utf-8")
    assert list(places(tmp_path, fact)) == [f"{fact.tops[0]}/new.py"]
