"""What a smoke prints: the plan, the tables, the JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from certifier.text import printable
from smoke.account import PREFIX, TAG
from smoke.book import DEFAULTS, QUESTIONS, Book
from smoke.request import parser
from smoke.stories import STORIES

_NEEDED = (
    ("--instance ARN", "a DMS replication instance, status available"),
    (
        "--secret ARN",
        "a secret with host, port, username, password (dbname): a PostgreSQL with TLS that the "
        "instance reaches; not one that is in use",
    ),
    ("--ca FILE", "the CA that the server's certificate verifies against, PEM"),
)
_ACTIONS = (
    "dms: Create/Modify/Describe/DeleteEndpoint(s), TestConnection, Describe/DeleteConnection(s), "
    "Import/Describe/DeleteCertificate(s), DescribeReplicationInstances, DescribeReplicationTasks, "
    "DescribeReplicationConfigs, DescribeAccountAttributes, AddTagsToResource, ListTagsForResource",
    "secretsmanager: GetSecretValue on the secret",
    "--role: iam:GetRole and iam:PassRole on it, secretsmanager:DescribeSecret",
    "--with-task: dms: Create/Start/Stop/DeleteReplicationTask",
    "--with-acm: acm: ImportCertificate, ListCertificates, ListTagsForCertificate, "
    "AddTagsToCertificate, DeleteCertificate",
)


def plan(console: Console, why: str) -> None:
    """Say what a smoke would do, and what it needs."""
    console.print(f"[bold]{escape(why)}[/] Nothing was called. This is what a smoke does:\n")
    table = Table.grid(padding=(0, 2))
    for story in STORIES:
        needs = f" [dim](only with {escape(story.needs)})[/]" if story.needs else ""
        asked = f"open questions: {len(story.answers)}" if story.answers else "DMS's own words"
        table.add_row(f"[bold]{story.name}[/]", f"{escape(story.does)}{needs}")
        table.add_row("", f"[dim]makes {story.makes}[/]")
        table.add_row("", f"[dim]costs {story.costs}; {asked}[/]")
    console.print(table)
    console.print(
        f"\nEverything is named {PREFIX}<run>-..., tagged {TAG}, and deleted at the end of its "
        "story, also after a failure; `python -m smoke --sweep` deletes what a killed run left. "
        "It makes about two calls a second of the account's eight, and changes nothing that was "
        "there before.\n"
    )
    needed = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("needed", "what"):
        needed.add_column(column, overflow="fold")
    for flag, what in _NEEDED:
        needed.add_row(escape(flag), what)
    needed.add_row("AWS credentials", "where boto3 looks, allowed to call:\n" + "\n".join(_ACTIONS))
    console.print(needed)
    console.print("More flags: [bold]python -m smoke --help[/]")


def plan_json(why: str) -> str:
    """Return the plan for a program."""
    stories = [
        {
            "story": story.name,
            "does": story.does,
            "makes": story.makes,
            "costs": story.costs,
            "answers": list(story.answers),
            "needs": story.needs,
        }
        for story in STORIES
    ]
    return _json({"done": False, "why": why, "stories": stories, "needs": dict(_NEEDED)})


def tables(console: Console, book: Book) -> None:
    """Print the answers, DMS's words, and what did not hold."""
    answers = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("fact", "§", "the stand-in", "this account", "seen"):
        answers.add_column(column, overflow="fold")
    for name, question in QUESTIONS.items():
        seen = book.seen.get(name)
        default = DEFAULTS[name]
        style = "dim" if seen is None else "" if seen.value == default else "bold yellow"
        answers.add_row(
            escape(question.text),
            question.section,
            _value(default),
            "not seen" if seen is None else _value(seen.value),
            "" if seen is None else escape(seen.note),
            style=style,
        )
    console.print(answers)
    words = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("when", "what AWS says", "we read"):
        words.add_column(column, overflow="fold")
    for one in book.words:
        words.add_row(one.situation, escape(one.text), one.cause.value if one.cause else "")
    console.print(words)
    held = sum(check.holds for check in book.checks)
    console.print(f"{held} of {len(book.checks)} things that must hold do")
    for check in book.checks:
        if not check.holds:
            console.print(f"[red]does not hold:[/] {check.sentence}: {escape(check.seen)}")
    for story, why in book.ended.items():
        console.print(f"[red]{story} ended early:[/] {escape(why)}")
    leftovers(console, book.left)


def leftovers(console: Console, left: Iterable[str]) -> None:
    """Print the commands that delete what could not be deleted."""
    for command in left:
        console.print(f"[red]left behind:[/] {escape(command)}", soft_wrap=True)


def switches_json(book: Book) -> str:
    """Return the switches that play this account."""
    return _json(_switches(book))


def book_json(book: Book, *, run: str, region: str) -> str:
    """Return everything for a program."""
    return _json(
        {
            "done": True,
            "run": run,
            "region": region,
            "switches": _switches(book),
            "seen": {name: asdict(seen) for name, seen in book.seen.items()},
            "not_seen": [name for name in QUESTIONS if name not in book.seen],
            "words": [asdict(one) for one in book.words],
            "checks": [asdict(check) for check in book.checks],
            "ended": book.ended,
            "left": book.left,
        }
    )


def usage(problem: str) -> str:
    """Return the one line of a wrong call."""
    return f"{parser().prog}: {printable(' '.join(problem.split()))}"


def _switches(book: Book) -> dict[str, Any]:
    return {"dms": asdict(book.switches()), "acm": asdict(book.acm_switches())}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=str)


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g} s"
        case _:
            return str(value)
