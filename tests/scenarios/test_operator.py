"""What an operator sees, against the whole workflow: what matters first, and in full."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certifier.cli import certify, main
from certifier.text import span
from sandbox.acts import SLOT_FAILURE
from sandbox.aws.deploy import STACK
from sandbox.world import ENDPOINT, HOST, NAME, PAIR, World
from tests.scenarios.live import Live

Command = Callable[..., int]


@pytest.fixture
def command(live: Live, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    """The command line as a person calls it, in the account; it waits less between two looks."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", live.cloud.region)
    monkeypatch.setenv("CERTIFIER_STACK", STACK)
    monkeypatch.setattr("certifier.cli.following.POLL_SECONDS", 0.05)
    monkeypatch.chdir(tmp_path)
    yield lambda *argv: main(argv)
    for execution in live.cloud.executions:
        execution.wait()


def written(world: World, **changes: Any) -> str:
    """Write the source into a file here."""
    file = Path("orders.json")
    file.write_text(json.dumps(world.source(**changes)))
    return str(file)


def lines(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


# -- whether notices arrive


def test_a_test_notice_goes_the_whole_way(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the function, the role and the topic of every other one; no source is run for it."""
    before = len(live.cloud.notices)
    assert command("notify-test") == 0
    assert capsys.readouterr().out.startswith("sent:")
    ((subject, message),) = live.cloud.notices[before:]
    assert "a test of the notices" in subject
    assert "nothing needs a person" in message


def test_a_test_notice_that_cannot_be_sent_says_why(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right is missing: the command fails, as a notice would."""
    statements = live.cloud._rights._of_role("select_sources")
    for statement in list(statements):
        if "sns:Publish" in statement["Action"]:
            statements.remove(statement)
    assert command("notify-test") == 1
    live.cloud._rights._statements.clear()
    assert "was not sent" in capsys.readouterr().err


# -- 2: the plan


def test_a_plan_of_a_new_endpoint_shows_what_would_be_made(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each field that it would have, the CA by name and hash, the rehearsal, and the command."""
    file = written(live.world)
    assert command("certify", file, "--plan") == 0
    out = capsys.readouterr().out
    assert f"{NAME}  would be created  {ENDPOINT} · {HOST}:{live.world.server.port}" in out
    assert ["+", "ssl_mode", "verify-full"] in lines(out)
    (ca,) = (line for line in out.splitlines() if line.lstrip().startswith("+ trusted CA"))
    assert f"CN=Orders CA {live.world._authorities}" in ca
    assert "…, until " in ca
    assert "DMS tries it with a canary from" in out
    assert "0 would change, 1 would be created, 0 unchanged, 0 refused. Nothing was changed." in out
    assert f"Do it:  certifier certify {file}" in out
    assert live.dms.endpoints() == []


def test_a_plan_names_the_tasks_that_it_would_stop(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """From and to, which tasks, when their window opens, and that a failure is rolled back."""
    live.certified()
    window = _closed(live)
    file = written(live.world, restart_tasks=window)
    assert command("certify", file, "--plan", "--exit-code") == 2
    out = capsys.readouterr().out
    assert "would change" in out
    assert ["~", "ssl_mode", "verify-ca", "→", "verify-full"] in lines(out)
    assert "stops 1 task" in out
    assert "orders-to-warehouse (cdc, running), and restarts it" in out
    (when,) = (line for line in out.splitlines() if line.lstrip().startswith("when"))
    assert window.rsplit(" ", 1)[1] in when
    assert ", in " in when
    assert "the endpoint is rolled back" in out
    assert live.status() == "running"

    assert command("certify", file, "--plan", "--json") == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert [task["identifier"] for task in source["plan"]["stops"]] == ["orders-to-warehouse"]
    assert source["plan"]["changes"][0]["field"] == "ssl_mode"
    assert source["plan"]["opens_at"] is not None
    page = _page(live)
    assert "orders-to-warehouse" in page
    assert "would be stopped" in page


def test_a_new_ca_is_planned_by_its_name(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundles behind the digests, on the terminal and on the page."""
    live.certified(task=False)
    before = live.world.authority.certificate.subject.rfc4514_string()
    live.world.issue()
    live.world.serve()
    live.world.put_pair()
    after = live.world.authority.certificate.subject.rfc4514_string()
    assert command("certify", NAME, "--plan") == 0
    out = capsys.readouterr().out
    assert ["~", "trusted", "CA"] in [words[:3] for words in lines(out)]
    assert f"+ {after.split(',')[0]}" in out
    assert f"= {before.split(',')[0]}" in out
    assert " replaces " in out
    page = _page(live)
    assert before.split(",")[0] in page
    assert after.split(",")[0] in page


def test_a_plan_of_what_is_right_already_changes_nothing(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0 with --exit-code too, and no command to do it."""
    live.certified(task=False)
    assert command("certify", NAME, "--plan", "--exit-code") == 0
    out = capsys.readouterr().out
    assert "unchanged" in out
    assert "0 would change, 0 would be created, 1 unchanged, 0 refused." in out
    assert "Do it" not in out


def _page(live: Live) -> str:
    """The newest page of the source."""
    pages = live.cloud.objects(f"records/{NAME}/")
    return pages[max(key for key in pages if key.endswith(".html"))].decode()


def _closed(live: Live) -> str:
    """A weekly window that opens in some days."""
    opens = live.cloud.clock.now() + timedelta(days=3)
    return f"{opens:%a} {opens:%H:%M}-{opens + timedelta(hours=2):%H:%M} UTC"


# -- 3: a run that waits for its window


def test_a_run_that_waits_for_its_window_says_until_when(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """In certify, status and JSON; it has not failed, and it is not certified yet."""
    live.certified()
    file = written(live.world, restart_tasks=_closed(live))
    assert command("certify", file) == 1
    out = capsys.readouterr().out
    assert "orders  waits for its window" in out
    (until,) = (line for line in out.splitlines() if line.lstrip().startswith("until"))
    assert ", in " in until
    assert "FAILED" not in out
    assert live.cloud.executions[-1].status == "SUCCEEDED"
    assert command("certify", NAME, "--json") == 1
    payload = json.loads(capsys.readouterr().out)
    assert payload["status"] == "SUCCEEDED"
    assert payload["sources"][0]["opens_at"] is not None
    assert payload["summary"]["lines"][0]["opens_at"] is not None
    assert command("status") == 0
    out = capsys.readouterr().out
    assert "waits for its window" in out


# -- 8: interrupted, and deferred


def test_an_interrupt_says_that_the_run_goes_on(
    live: Live,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the command that follows it again, which then says how it ended."""
    file = written(live.world)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(certify, "follow", interrupt)
    assert command("certify", file) == 130
    err = capsys.readouterr().err
    assert "the run goes on in AWS" in err
    again = err.splitlines()[-1].split()
    assert again[:2] == ["certifier", "watch"]
    monkeypatch.undo()
    monkeypatch.setenv("AWS_DEFAULT_REGION", live.cloud.region)
    monkeypatch.setenv("CERTIFIER_STACK", STACK)
    assert command(*again[1:]) == 0
    assert "orders  certified" in capsys.readouterr().out


def test_watch_without_a_run_says_so(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a name that is not known, see test_watch_unseen.py."""
    assert command("watch") == 1
    assert "nothing runs now" in capsys.readouterr().err


def test_a_deferred_source_says_who_has_it(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The execution, since when, and its step."""
    live.certified(task=False)
    held = threading.Event()
    live.when("Probe TLS", lambda: bool(held.wait(60)))
    run = live.cloud.run({"names": [NAME]}, wait=False)
    for _ in range(200):
        if live.world.state().get("claim") is not None:
            break
        time.sleep(0.05)
    try:
        assert command("certify", NAME) == 1
    finally:
        held.set()
        run.wait()
    out = capsys.readouterr().out
    assert "orders  deferred" in out
    (who,) = (line for line in out.splitlines() if line.lstrip().startswith("who"))
    assert "has it since" in who
    assert ", now at " in who


# -- 11, 12: names, and a first refusal


def test_a_typo_starts_nothing(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is asked first, and says what was meant."""
    live.certified(task=False)
    before = len(live.cloud.executions)
    assert command("certify", "ordes") == 1
    err = capsys.readouterr().err
    assert err == "certifier certify: 'ordes' is not a registered source; did you mean orders?\n"
    assert len(live.cloud.executions) == before


def test_a_refused_first_registration_says_that_it_is_registered(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how to drop it; every finding with what to do, and when it is looked at again."""
    file = written(live.world, name="nowhere", endpoint="nowhere-source", host="nowhere.invalid")
    assert command("certify", file) == 1
    out = capsys.readouterr().out
    assert "nowhere  refused" in out
    assert "nowhere is registered all the same" in out
    assert "certifier forget nowhere" in out
    labels = [words[0] for words in lines(out) if words]
    assert "seen" in labels
    assert "do" in labels
    assert "again" in labels
    assert "took" in labels


def test_a_source_that_was_certified_before_is_not_offered_to_be_dropped(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever follows a run that fails at night has registered the source long ago."""
    live.certified(task=False)
    live.fails("timeout expired", lambda _: True)
    capsys.readouterr()
    assert command("certify", "orders") == 1
    out = capsys.readouterr().out
    assert "orders  failed" in out
    assert "forget" not in out


def test_the_command_that_drops_a_source_names_the_same_installation(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another Region may have a source of that name, and whoever pastes it would drop that one."""
    live.dms.judge = lambda _: "timeout expired"
    assert command("certify", written(live.world), "--region", "eu-west-1") == 1
    assert "to drop it: certifier forget orders --region eu-west-1" in capsys.readouterr().out


# -- 1: a task that we stopped and that does not run


def stuck(live: Live) -> None:
    """Certify orders with a task that does not start again; DMS says why."""
    live.certified()
    live.dms.set_task(live.task, start_failure=SLOT_FAILURE)
    live.change()
    assert live.unfinished == [live.task]


def test_a_source_whose_task_is_stopped_is_not_certified(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own word in certify, status, JSON, record, page and report; certify exits 1."""
    stuck(live)
    assert live.outcome == "task_stopped"
    record = live.world.record()
    assert record["outcome"] == "task_stopped"
    (task,) = record["tasks"]["stopped"]
    assert (task["identifier"], task["said"]) == ("orders-to-warehouse", SLOT_FAILURE)
    page = _page(live)
    assert '<div class="word">task is stopped</div>' in page
    assert SLOT_FAILURE.replace('"', "&#34;") in page

    assert command("certify", NAME) == 1
    out = capsys.readouterr().out
    assert "orders  task is stopped" in out
    assert SLOT_FAILURE in out
    assert "again" in [words[0] for words in lines(out) if words]
    assert command("certify", NAME, "--json") == 1
    payload = json.loads(capsys.readouterr().out)
    assert payload["sources"][0]["outcome"] == "task_stopped"
    (report,) = (
        body
        for key, body in live.cloud.objects("reports/").items()
        if key == f"reports/{payload['execution'].rsplit(':', 1)[-1]}.html"
    )
    assert "task is stopped" in report.decode()

    assert command("status") == 0
    first, _, row, *_ = capsys.readouterr().out.splitlines()
    assert "1 needs a person" in first
    assert row.split("\t")[:2] == [NAME, "task is stopped"]
    assert row.split("\t")[2].startswith("for ")
    assert row.endswith(SLOT_FAILURE)
    assert command("status", "--json") == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["standing"], source["outcome"]) == ("task_stopped", "task_stopped")
    assert source["said"] == SLOT_FAILURE
    assert command("status", "--check") == 1
    assert capsys.readouterr().out.startswith("NOT OK: orders: task is stopped")


def test_once_its_task_runs_it_is_certified(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The settings were proven before; the next tick starts the task, and exits 0."""
    stuck(live)
    live.dms.set_task(live.task, start_failure=None)
    live.tick()
    assert (live.outcome, live.unfinished) == ("certified", [])
    assert command("certify", NAME) == 0
    assert command("status", "--check") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "OK: 1 source"


# -- show, history, open, pause, release, doctor


def test_show_says_what_the_record_says(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stopped task with DMS's words first; then findings, what was proven, and by whom."""
    stuck(live)
    assert command("show", NAME) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("orders  task is stopped")
    rows = lines(out)
    assert rows[1][:2] == ["stopped", "orders-to-warehouse,"]
    assert rows[2][:2] == ["DMS", "says"]
    assert SLOT_FAILURE in out
    assert ["DMS", "test", "connected,"] in [words[:3] for words in rows]
    assert command("show", NAME, "--json") == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "task_stopped"
    assert command("show", "ordes") == 1
    assert "did you mean orders?" in capsys.readouterr().err


def test_history_says_what_each_run_did(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest first: a change by its values, a CA by its name, equal runs in one line."""
    live.certified(task=False)
    live.cloud.clock.advance(60)
    live.world.recertify()
    live.cloud.clock.advance(60)
    live.world.recertify()
    live.cloud.clock.advance(60)
    live.change()
    assert command("history", NAME) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()][:3]
    assert [row[1] for row in rows] == ["certified"] * 3
    assert rows[0][2] == "ssl_mode verify-ca → verify-full"
    assert rows[1][2].startswith("nothing to change (2 runs, since ")
    assert rows[2][2].startswith("endpoint created")
    assert command("history", NAME, "--json") == 0
    assert [line["runs"] for line in json.loads(capsys.readouterr().out)][:2] == [1, 2]
    assert command("history", "nosuch") == 1
    assert "is not a registered source" in capsys.readouterr().err


def test_open_fetches_the_page_and_what_it_links_to(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The links work on this machine too; nothing outside of the folder is written."""
    live.certified(task=False)
    assert command("open", NAME, "--no-browser", "--folder", str(tmp_path / "pages")) == 0
    file = Path(capsys.readouterr().out.strip())
    assert file.is_file()
    assert "records/orders" in str(file)
    execution = live.world.record()["parent"].rsplit(":", 1)[-1]
    assert command("open", execution, "--no-browser", "--folder", str(tmp_path / "pages")) == 0
    report = Path(capsys.readouterr().out.strip())
    (link,) = [one for one in report.read_text().split('"') if one.startswith("../records/")]
    assert (report.parent / link).resolve() == file.resolve()
    assert command("open", "nosuch") == 1


def test_a_paused_source_is_not_run(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """By nobody: not by the schedule, an event or its name; status says who and why; then again."""
    live.certified(task=False)
    assert command("pause", NAME, "--why", "the database is being moved", "--who", "kim") == 0
    assert "certifier unpause orders" in capsys.readouterr().out
    before = live.world.state()["recorded_at"]
    live.tick(3, minutes=60 * 24)
    live.world.renew()
    live.tick()
    assert live.world.state()["recorded_at"] == before
    assert command("certify", NAME) == 1
    assert "orders: kim has paused it since" in capsys.readouterr().err
    assert live.cloud.run({"names": [NAME]}).status == "FAILED"
    assert live.world.state()["recorded_at"] == before
    assert command("certify", NAME, "--plan") == 0
    capsys.readouterr()
    assert command("status") == 0
    row = capsys.readouterr().out.splitlines()[2].split("\t")
    assert row[:2] == [NAME, "paused"]
    assert row[3:] == ["after unpause", "kim: the database is being moved"]

    assert command("unpause", NAME) == 0
    live.tick()
    assert live.outcome == "certified"
    assert live.world.state()["recorded_at"] > before
    assert command("unpause", NAME) == 0
    assert "orders is not paused; due " in capsys.readouterr().out
    assert command("pause", "nosuch", "--why", "x") == 1


def test_what_has_begun_is_finished_before_a_source_is_paused(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source whose task is stopped cannot be paused: nobody would start the task."""
    stuck(live)
    assert command("pause", NAME, "--why", "x", "--who", "kim") == 1
    assert "paused tasks" in capsys.readouterr().err


@pytest.mark.parametrize("by", ["identifier", "arn"])
def test_a_released_task_stays_stopped(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    """Nobody starts it again, and its source is certified without it."""
    stuck(live)
    task = "orders-to-warehouse" if by == "identifier" else live.task
    assert command("release", NAME, "another") == 1
    assert "does not wait for orders; what waits: orders-to-warehouse" in capsys.readouterr().err
    assert command("release", NAME, task) == 0
    capsys.readouterr()
    live.dms.set_task(live.task, start_failure=None)
    live.tick()
    assert (live.outcome, live.unfinished, live.status()) == ("certified", [], "failed")
    assert command("release", NAME, task) == 0
    assert "does not wait for orders; due " in capsys.readouterr().out


def test_doctor_looks_at_what_goes_wrong_first(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who you are, version, rights, prefixes, notices, the last run; 1 when something is wrong."""
    live.certified(task=False)
    assert command("doctor") == 1  # nobody is notified in the sandbox
    rows = {
        line.split("\t")[0]: line.split("\t")[1:] for line in capsys.readouterr().out.splitlines()
    }
    for what in ("you", "version", "table", "bucket", "machine"):
        assert rows[what][0] == "ok", rows
    assert rows["notices"][0] == "not ok"
    assert rows["secrets"][1] == "dms/"
    assert rows["probe"][1] == "outside any VPC"
    assert set(rows) >= {"bundles", "schedule", "last run"}
    assert command("doctor", "--json") == 1
    assert {check["what"] for check in json.loads(capsys.readouterr().out)} >= {"you", "version"}


# -- 5, 6: one cause everywhere, and the page of a run that finished another one's work


def test_every_place_names_the_same_cause(
    live: Live, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status, JSON with its severity, record, report and mail: that of the weightiest finding."""
    live.certified(task=False)
    live.world.put_pair()
    live.world.cloud.put_secret(PAIR, {**live.world.pair(), "private_key": "x"})
    live.world.recertify()
    assert live.outcome == "refused"
    cause = live.world.record()["cause"]
    assert cause in live.causes
    assert command("status", "--json") == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["cause"], source["severity"]) == (cause, "error")
    assert command("status") == 0
    assert capsys.readouterr().out.splitlines()[2].split("\t")[4].split()[0] == cause
    report = live.world.record()["parent"].rsplit(":", 1)[-1]
    (line,) = json.loads(live.cloud.objects("reports/")[f"reports/{report}.json"])["lines"]
    assert line["cause"] == cause
    subject, _ = live.cloud.notices[-1]
    assert subject.endswith(f"orders refused: {cause}")


def test_the_page_of_a_run_that_finished_another_shows_its_tasks(live: Live) -> None:
    """How long the task did not run; what is settled says so, comes last, and is in no mail."""
    live.certified()
    before = len(live.cloud.notices)
    live.cloud.stop_child_at("Test connection")
    live.change()
    assert live.status() == "stopped"
    live.tick(2)
    live.tick()
    assert (live.status(), live.unfinished) == ("running", [])
    finishing = [
        json.loads(body)
        for key, body in sorted(live.cloud.objects(f"records/{NAME}/").items())
        if key.endswith(".json") and b"interrupted_run_finished" in body
    ][-1]
    assert finishing["settled"] == ["interrupted_run_finished"]
    assert finishing["tasks"]["stopped_seconds"] > 60
    pages = live.cloud.objects(f"records/{NAME}/")
    key = next(
        key
        for key, body in sorted(pages.items(), reverse=True)
        if key.endswith(".html") and b"interrupted_run_finished" in body
    )
    page = pages[key].decode()
    assert "Stopped by an earlier run, and started again by this one" in page
    assert span(timedelta(seconds=finishing["tasks"]["stopped_seconds"])) in page
    assert "settled by this run" in page
    assert "interrupted" not in "".join(str(mail) for mail in live.cloud.notices[before:])


def test_what_was_not_reached_is_not_called_unneeded(live: Live) -> None:
    """A run that was refused before it had a plan says nothing of a rehearsal."""
    live.change(host="nowhere.invalid")
    assert live.outcome == "refused"
    assert '<dd><span class="soft">not reached</span>' in _page(live)
    assert "not needed" not in _page(live)
