"""The demo: Certifier's story on one machine, with everything in it real but the cloud.

PostgreSQL is a real server with TLS, the state machine and the Lambdas are those that CDK deploys,
and DMS connects with libpq. Nothing that is printed is written here: outcomes, evidence, findings
and calls are read from the records, the table and the call log.
"""

import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from certifier.report import certification_page
from certifier.run.answer import reason_of
from certifier.vocabulary import Outcome, Severity
from sandbox import acts
from sandbox.aws import Execution
from sandbox.aws.machine import Where
from sandbox.fleet import fleet, page_of, settle
from sandbox.pki import Authority
from sandbox.story_page import GLOSSARY, Scene, story_page
from sandbox.world import CREDENTIALS, HOST, NAME, PAIR, World

COLOURS = {
    "certified": "bold green",
    "planned": "bold cyan",
    "deferred": "bold cyan",
    "refused": "bold yellow",
    "rolled_back": "bold yellow",
    "failed": "bold red",
    "task_stopped": "bold red",
}
WEIGHTS = {"error": "red", "warning": "yellow", "advice": "cyan"}
DRAWN = 196
"""Sources of the fleet's page besides those of the story; see sandbox/fleet.py."""
QUIET = ("Deferred",)
"""States in which nothing happens."""


class Story:
    """What the demo prints. Every scene is a method of :class:`Demo`; this is its voice.

    Args:
        source_of: the name of the source of a child execution, by its ARN.
    """

    def __init__(self, console: Console, source_of: Callable[[str], str | None]) -> None:
        self.console = console
        self.watched = NAME
        self._source_of = source_of
        self._last = ""
        self.scenes: list[Scene] = []

    def scene(self, letter: str, title: str, caption: str) -> None:
        """Begin a scene: what happens, in the words of whom it happens to."""
        self.scenes.append(Scene(letter, title, caption))
        self.console.print()
        self.console.print(Rule(f"[bold]{letter}. {title}[/]", align="left", style="dim"))
        self.console.print(Padding(Text(caption, style="italic"), (0, 0, 0, 3)))

    def say(self, line: str, style: str = "") -> None:
        """Print one indented line; what comes from outside is escaped by the caller."""
        self.console.print(Padding(f"[{style}]{line}[/]" if style else line, (0, 0, 0, 3)))

    def entered(self, where: Where) -> None:
        """Show live which state a source's execution has entered."""
        state = where.state
        if "/" not in where.execution or state in QUIET or state.endswith(("?", ": wait")):
            return
        if self._source_of(where.execution) != self.watched:
            return
        if state == self._last:
            self.console.print("[dim]·[/]", end="")
            return
        lead = "   [dim]" if not self._last else " [dim]› "
        self.console.print(f"{lead}{escape(state)}[/]", end="", soft_wrap=True)
        self._last = state

    def ended(self) -> None:
        """End the line of live progress."""
        if self._last:
            self.console.print()
        self._last = ""

    def outcome(self, record: Mapping[str, Any], seconds: float) -> None:
        """Print how a run ended, and where the source stands."""
        outcome = Outcome(record["outcome"])
        due = record.get("next_due")
        then = f"; next run due {due[:16].replace('T', ' ')} UTC" if due else ""
        self.say(
            f"[{COLOURS[outcome]}]{outcome.words}[/] [dim](took {seconds:.1f} s here{then})[/]"
        )

    def evidence(self, record: Mapping[str, Any]) -> None:
        """Print what the verdict rests on."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in _evidence(record):
            table.add_row(name, escape(value))
        self.console.print(Padding(table, (0, 0, 0, 3)))

    def findings(self, record: Mapping[str, Any]) -> None:
        """Print every finding, errors first: cause, what was seen, what to do."""
        for found in sorted(record["findings"], key=lambda each: Severity(each["severity"]).weight):
            colour = WEIGHTS[found["severity"]]
            where = found["place"].replace("_", " ")
            self.say(
                f"[{colour}]{found['severity']}[/] [bold]{found['cause']}[/] [dim]({where})[/] "
                f"{escape(found['seen'])}"
            )
            if found.get("raw"):
                self.say(f"  [dim]error text:[/] {escape(found['raw'])}")
            self.say(f"  [dim]remedy:[/] {escape(found['remedy'])}")


def _evidence(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    probe = record.get("probe") or {}
    seen = probe.get("evidence") or {}
    if tls := seen.get("tls"):
        login = seen.get("login") or {}
        by = f", login by {login['method']}" if login.get("method") else ""
        yield "TLS", f"{tls['version']}, {tls['cipher']}{by}"
        yield "connections", str(seen["connections"])
    chain = [certificate["subject"] for certificate in seen.get("chain", ())]
    if anchor := seen.get("anchor"):
        chain.append(f"{anchor['subject']} (trust anchor)")
    if chain:
        yield "chain", " ← ".join(chain)
    verdicts = probe.get("verdicts") or {}
    if verdicts:
        words = (f"{mode}: {'pass' if v['passed'] else 'fail'}" for mode, v in verdicts.items())
        yield "modes", ", ".join(words)
    if record.get("days_left") is not None:
        yield "expires in", f"{record['days_left']} days ({record['expires']})"
    if endpoint := record.get("endpoint"):
        mode = endpoint["fields"]["ssl_mode"]
        made = " (created)" if endpoint["created"] else ""
        yield "endpoint", f"{endpoint['identifier']}: {mode}{made}"
    if trust := record.get("trust"):
        names = [anchor["subject"] for anchor in trust["anchors"]]
        both = " (old and new CA, until the server has changed)" if trust["overlap"] else ""
        yield "DMS trusts", ", ".join(names) + both
    tests = record.get("tests", ())
    words = (f"{t['subject']}: {'passed' if t['passed'] else 'failed'}" for t in tests)
    if tests:
        yield "DMS tests", "; ".join(words)
    tasks = record.get("tasks") or {}
    if tasks.get("stopped_seconds") is not None:
        yield "tasks", f"restarted; stopped for {tasks['stopped_seconds']:.0f} s"


@dataclass
class Demo:
    """The scenes, in their order. They share one world: what one leaves, the next one finds."""

    world: World
    story: Story

    def play_all(self) -> None:
        """Play every scene."""
        self.onboard()
        self.recertify()
        self.rotate()
        self.renew_ahead()
        self.wrong_ca()
        self.elsewhere()
        self.under_a_task()
        self.roll_back()
        self.killed()
        self.without_consent()

    def onboard(self) -> None:
        """a. A source is onboarded with verify-full."""
        self.story.scene(
            "a",
            "Onboard a source",
            f"A pipeline starts the state machine with one source: {HOST}, verify-full.",
        )
        with self._watched():
            self.world.onboard(restart_tasks=True)
        self._show(evidence=True)

    def recertify(self) -> None:
        """b. Nothing has changed."""
        self.story.scene(
            "b", "Recertify it", "A day later the source is due, and the schedule starts a run."
        )
        before = len(self.world.cloud.calls)
        with self._watched():
            self.world.cloud.tick(minutes=24 * 60)
        self._show()
        self._calls(before)

    def rotate(self) -> None:
        """c. CA and certificate are renewed, on the server and in the secret."""
        self.story.scene(
            "c",
            "Rotate CA and certificate",
            "The team renews both and reloads PostgreSQL; the event of the secret starts a run.",
        )
        with self._watched():
            acts.renew(self.world)
        self._show(evidence=True)

    def renew_ahead(self) -> None:
        """d. The secret is ahead of the server; later the server follows."""
        self.story.scene(
            "d",
            "Renew in the secret first, on the server later",
            "New CA and certificate are in the secret; PostgreSQL still serves the old ones.",
        )
        with self._watched():
            acts.renew_ahead(self.world)
        self._show(evidence=True)
        self.story.say(
            "[italic]PostgreSQL reloads; when it has served the new chain for a day, the old CA is "
            "dropped.[/]"
        )
        acts.reload(self.world)
        with self._watched():
            self._until(lambda: bool(self.world.state().get("new_chain")))
            acts.skip(self.world)
            self._until(lambda: not self.world.state().get("findings"))
        self._show(evidence=True)

    def wrong_ca(self) -> None:
        """e. A second source is onboarded with a CA that did not issue its certificate."""
        self.story.scene(
            "e",
            "Onboard a second source with the wrong CA",
            "The bundle holds another team's CA.",
        )
        wrong = Authority.root("Another team's CA").certificate_pem
        changes = {
            "name": "invoices",
            "endpoint": "invoices-source",
            "server_certificate": None,
            "ca_bundle": self.world.put_bundle("invoices/ca.pem", wrong),
        }
        with self._watched("invoices"):
            run = self.world.onboard(**changes)
        self._show("invoices")
        made = self.world.endpoint("invoices-source")
        self.story.say(f"endpoint invoices-source: [bold]{'created' if made else 'not created'}[/]")
        self._ended(run)

    def elsewhere(self) -> None:
        """f. DMS cannot reach the host that our probe reaches."""
        self.story.scene(
            "f",
            "DMS is in another network",
            "The probe reaches the host; its name does not resolve from the replication instance.",
        )
        acts.break_network(self.world)
        changes = {"name": "billing", "endpoint": "billing-source"}
        with self._watched("billing"):
            run = self.world.onboard(**changes)
        acts.repair(self.world)
        self._show("billing", evidence=True)
        self._ended(run)

    def under_a_task(self) -> None:
        """g. A rotation while a task replicates."""
        self.story.scene(
            "g",
            "Rotate under a running task",
            "A replication task is running, and the source lets Certifier stop and restart it.",
        )
        acts.add_task(self.world)
        with self._watched():
            acts.renew(self.world)
        self._show(evidence=True)
        self._tasks()

    def roll_back(self) -> None:
        """h. The rehearsal passes, DMS cannot connect after the change, and it is rolled back."""
        self.story.scene(
            "h",
            "Roll back a change that does not connect",
            "A new CA is in the secret. The rehearsal passes, but the changed endpoint fails.",
        )
        acts.break_after_change(self.world)
        with self._watched():
            acts.renew_ahead(self.world)
        acts.repair(self.world)
        self._show(evidence=True)
        self._tasks()

    def killed(self) -> None:
        """i. An execution is killed in the middle of a change; the schedule finishes the job."""
        self.story.scene(
            "i",
            "Recover from a killed run",
            "The execution is stopped right after it changed the endpoint, with the task paused.",
        )
        acts.kill(self.world)
        with self._watched():
            self.world.recertify()
        self._tasks()
        self.story.say("[italic]From here on, only the schedule runs.[/]")
        with self._watched():
            self._until(lambda: self.world.outcome() == "certified" and not self.world.unfinished())
        self._show(evidence=True)
        self._tasks()

    def without_consent(self) -> None:
        """j. A source names a secret whose owner has not consented, and then does."""
        self.story.scene(
            "j",
            "Name a secret without its owner's consent",
            "Somebody's source names another team's secret; then its owner consents.",
        )
        self.world.serve()
        secret = self.world.cloud.put_secret("dms/payroll-tls", self.world.pair(), tags={})
        changes = {
            "name": "payroll",
            "endpoint": "payroll-source",
            "server_certificate": secret,
        }
        with self._watched("payroll"):
            run = self.world.onboard(**changes)
        self._show("payroll")
        self._ended(run)
        (refusal,) = self.world.record("payroll")["findings"]
        _, _, command = refusal["seen"].partition("consents with: ")
        self.story.say(f"[dim]its owner runs[/] {escape(command)}")
        self._obey(command)
        with self._watched("payroll"):
            self.world.cloud.run({"names": ["payroll"]})
        self._show("payroll")

    def _obey(self, command: str) -> None:
        """Run ``aws secretsmanager tag-resource``, as the owner of the secret does."""
        words = shlex.split(command)
        secret, pair = (words[words.index(name) + 1] for name in ("--secret-id", "--tags"))
        key, value = (part.partition("=")[2] for part in pair.split(",", 1))
        client = self.world.cloud.client("secretsmanager")
        client.tag_resource(SecretId=secret, Tags=[{"Key": key, "Value": value}])

    # -- how a scene is shown

    @contextmanager
    def _watched(self, name: str = NAME) -> Iterator[None]:
        """Show one source's states live while something runs."""
        began, before = time.monotonic(), len(self.world.cloud.executions)
        self.story.watched = name
        try:
            yield
        finally:
            self._took = time.monotonic() - began
            self.story.ended()
        ran = {execution.name for execution in self.world.cloud.executions[before:]}
        if others := sorted(each for each in ran - {name} if each):
            self.story.say(f"[dim]also run: {', '.join(others)}[/]")

    def _show(self, name: str = NAME, *, evidence: bool = False) -> None:
        record = self.world.record(name)
        keys = (key for key in self.world.cloud.objects(f"records/{name}/") if key[-5:] == ".html")
        self.story.scenes[-1].records.append((name, record["outcome"], max(keys)))
        self.story.outcome(record, self._took)
        if evidence:
            self.story.evidence(record)
        self.story.findings(record)

    def _ended(self, run: Execution) -> None:
        if run.status == "FAILED":
            self.story.say(f"[dim]execution failed:[/] {escape(reason_of(run.cause or ''))}")

    def _calls(self, since: int) -> None:
        """Print which calls a run made, and that none of them was a write."""
        services = ("dms", "acm", "secretsmanager")
        made = self.world.cloud.calls.of(*services, since=since)
        counted: dict[str, int] = {}
        for call in made:
            counted[f"{call.service} {call.operation}"] = (
                counted.get(f"{call.service} {call.operation}", 0) + 1
            )
        listed = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in counted.items())
        self.story.say(f"[dim]calls:[/]  {listed}")
        writes = [c.operation for c in made if c.writes and c.operation != "TestConnection"]
        self.story.say(f"[dim]writes:[/] {', '.join(writes) or 'none'}")

    def _tasks(self) -> None:
        for task in self.world.cloud.dms.tasks():
            self.story.say(
                f"[dim]task[/] {task['ReplicationTaskIdentifier']}: [bold]{task['Status']}[/]"
            )

    def _until(self, reached: Callable[[], bool], ticks: int = 12) -> None:
        """Let the schedule work until something is reached, for two hours at most."""
        for _ in range(ticks):
            self.world.cloud.tick()
            if reached():
                return


def save(world: World, folder: Path) -> tuple[int, int]:
    """Write the records and reports of the bucket to a folder; return how many of each."""
    shutil.rmtree(folder, ignore_errors=True)
    counts = []
    for prefix in ("records/", "reports/"):
        objects = world.cloud.objects(prefix)
        for key, body in objects.items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        counts.append(len(objects))
    return counts[0], counts[1]


def save_fleet(world: World, folder: Path) -> None:
    """Add sources up to a fleet of two hundred, and write its page and its records to a folder."""
    now = world.cloud.clock.now()
    drawn = list(fleet(DRAWN, now, parent=world.cloud.executions[-1].arn))
    settle(world.cloud, drawn)
    for member in drawn:
        if member.record is not None and member.state.record is not None:
            path = folder / f"{member.state.record}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(certification_page(member.record))
    label = f"Certifier · {world.cloud.region} · the demo"
    (folder / "fleet.html").write_text(page_of(world.cloud, label, now))
    latest = folder / "reports" / "latest.html"  # which the records lead to
    latest.write_text(page_of(world.cloud, label, now, up="../"))


def play(folder: Path, console: Console) -> None:
    """Tell the whole story, and leave its records and reports in ``folder``."""
    console.print("[bold]Certifier[/]: DMS endpoints for PostgreSQL on TLS that really verifies")
    for line in GLOSSARY:
        console.print(f"[dim]{line}[/]")
    console.print("[dim]starting PostgreSQL, synthesizing the CDK app, deploying it into moto …[/]")
    with World.start() as world:
        console.print(
            f"[dim]{HOST} is PostgreSQL {world.server.server_version}; its credentials are in "
            f"{CREDENTIALS}, its certificate in {PAIR}[/]"
        )
        story = Story(console, lambda arn: Execution(arn, world.cloud).name)
        world.cloud.on_state(story.entered)
        Demo(world, story).play_all()
        records, reports = save(world, folder)
        save_fleet(world, folder)
        (folder / "index.html").write_text(story_page(story.scenes), encoding="utf-8")
    console.print()
    console.print(Rule(style="dim"))
    console.print(
        f"{records} files in [bold]{folder / 'records'}[/]: a record for each run, as JSON and HTML"
    )
    console.print(f"{reports} files in [bold]{folder / 'reports'}[/]: a report for each execution")
    console.print(
        f"[bold]{folder / 'fleet.html'}[/]: the fleet page, these sources and {DRAWN} made-up ones"
    )
    console.print(f"Open [bold]{folder / 'index.html'}[/] to follow the story in order")
