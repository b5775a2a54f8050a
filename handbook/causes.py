"""``docs/reference/causes.md``: how each cause looks, why it happens, what to do, who shows it.

A test shows a cause when it is marked so: ``@pytest.mark.shows("ssl_off", "dns_failed")``, on a
function, a class, or one ``pytest.param(..., marks=...)``. The marks are read from the source, so
that a document or a test does not have to collect the whole suite.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from certifier.diagnosis.catalogue import CHAPTERS, Row
from certifier.vocabulary import Cause
from handbook.text import NOTICE

_INTRODUCTION = f"""\
# Causes

Every failure that Certifier reports names one of these causes, what was seen, and what to do next.
`certifier explain TEXT` finds the cause behind a DMS `LastFailureMessage` or an error of libpq.

An **error** stops a certification, a **warning** does not, **advice** is for a calm day. What may
clear by itself is checked again within minutes; everything else on the next day, or when the source
or its secret changes. Each cause names the tests that break something in just that way.

**Did it help?** `certifier certify NAME` runs the source at once, whatever the cause, and may be
repeated at any time; with `--plan` it checks everything but the connection from DMS, and changes
nothing. It is repaired when the outcome is `certified` and `certifier show NAME` no longer has the
finding. Who was notified gets one more mail, which says that nothing needs a person any more.

{NOTICE}"""


def scenarios(tests: Path) -> Mapping[Cause, tuple[str, ...]]:
    """Return the tests below a folder that show each cause, as ``path::name`` from its parent.

    Raises ValueError, naming file and line, for a mark whose argument is not a cause, and for a
    mark on what pytest does not run: no test by its own name or its file's, or a skipped one.
    """
    found: dict[Cause, list[str]] = {}
    for file in sorted(tests.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if ".shows(" not in text:
            continue
        path = file.relative_to(tests.parent).as_posix()
        for cause, name in _marks(ast.parse(text), path):
            names = found.setdefault(cause, [])
            if f"{path}::{name}" not in names:
                names.append(f"{path}::{name}")
    return {cause: tuple(names) for cause, names in found.items()}


def markdown(shown: Mapping[Cause, Sequence[str]]) -> str:
    """Return the whole document."""
    parts = [_INTRODUCTION]
    for title, rows in CHAPTERS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(row, shown.get(row.cause, ())) for row in rows]
    return "\n".join(parts)


def _entry(row: Row, shown: Sequence[str]) -> str:
    kind = row.severity.value.capitalize() + (
        "; may clear by itself" if row.may_clear_by_itself else ""
    )
    lines = [f"### {row.cause.value}", "", f"*{kind}.* {_escaped(row.why)}", ""]
    if row.looks:
        lines += ["It looks like this:", "", "```text", *row.looks, "```", ""]
    lines += [f"**What to do:** {_escaped(row.remedy)}", ""]
    for remedy in dict.fromkeys(row.at.values()):
        stages = ", ".join(f"`{stage}`" for stage, other in row.at.items() if other == remedy)
        lines += [f"**At {stages}:** {_escaped(remedy)}", ""]
    if shown:
        tests = (f"- `{name}`" for name in shown)
        lines += ["<details><summary>Shown by</summary>", "", *tests, "", "</details>", ""]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Plain text as Markdown: what is not in backticks may hold no mark-up of its own."""
    pieces = text.split("`")
    return "`".join(
        piece if number % 2 else re.sub(r"([*_<>\[\]])", r"\\\1", piece)
        for number, piece in enumerate(pieces)
    )


def _marks(tree: ast.Module, path: str) -> Iterator[tuple[Cause, str]]:
    """(cause, name of the test) for every mark in a module."""
    tables: dict[str, ast.stmt] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                tables[name] = statement
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            causes: list[Cause] = []
            for decorator in node.decorator_list:
                causes += _causes(decorator, path)
                for part in ast.walk(decorator):
                    if isinstance(part, ast.Name) and part.id in tables:
                        causes += _causes(tables[part.id], path)
            if causes and not _is_run(node, path):
                raise ValueError(f"{path}:{node.lineno}: {node.name} is not a test that is run")
            yield from ((cause, node.name) for cause in causes)


def _is_run(node: ast.FunctionDef | ast.ClassDef, path: str) -> bool:
    """Whether pytest collects it, and runs it, at least on one platform."""
    marks = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    named = node.name.startswith(("test_", "Test")) and Path(path).name.startswith("test_")
    return named and not re.search(r"\.mark\.(?:skip(?!if\(sys\.platform )|xfail)", marks)


def _causes(node: ast.AST, path: str) -> Iterator[Cause]:
    """The causes of every ``pytest.mark.shows(...)`` inside a node."""
    for part in ast.walk(node):
        match part:
            case ast.Call(func=ast.Attribute(attr="shows"), args=arguments):
                for argument in arguments:
                    yield _cause(argument, f"{path}:{part.lineno}")


def _cause(argument: ast.expr, where: str) -> Cause:
    match argument:
        case ast.Constant(value=str(value)) if value in frozenset(Cause):
            return Cause(value)
        case ast.Attribute(value=ast.Name(id="Cause"), attr=name) if name in Cause.__members__:
            return Cause[name]
    raise ValueError(f"{where}: {ast.unparse(argument)} is not a cause")
