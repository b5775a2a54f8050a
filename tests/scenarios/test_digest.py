"""One execution with many sources that need a person for one cause is one mail."""

from collections.abc import Sequence
from itertools import count

import pytest

from sandbox.aws import Execution, Kind
from sandbox.world import World
from tests.scenarios.live import Live

_NUMBERS = count()
Mails = list[tuple[str, str]]


def registered(live: Live, names: Sequence[str], **changes: object) -> Execution:
    """Sources with endpoints of their own; the endpoints are made with them."""
    sources = [live.world.source(name=n, endpoint=f"{n}-source", **changes) for n in names]
    return live.cloud.run({"sources": sources})


def without_consent(world: World) -> str:
    """A new secret, whose owner lets no source use it."""
    return world.cloud.put_secret(f"dms/payroll-{next(_NUMBERS)}", world.pair(), tags={})


def mails(live: Live, before: int) -> Mails:
    return live.cloud.notices[before:]


def names(number: int) -> list[str]:
    return [f"team-{n}" for n in range(number)]


def test_five_refusals_for_one_cause_are_one_mail(live: Live) -> None:
    """With the names, and the report. A day later that is not news, a week later it is one mail."""
    before = len(live.cloud.notices)
    run = registered(live, names(5), server_certificate=without_consent(live.world))
    assert {live.world.outcome(n) for n in names(5)} == {"refused"}
    ((subject, message),) = mails(live, before)
    assert subject.endswith("5 sources refused: not_allowed")
    assert all(f"{n}: endpoint {n}-source" in message for n in names(5))
    assert f"reports%2F{run.run_id}.html" in message
    assert all(live.world.state(n)["notified"] for n in names(5))

    live.tick(minutes=25 * 60)
    assert {live.world.outcome(n) for n in names(5)} == {"refused"}
    assert len(mails(live, before)) == 1

    live.tick(minutes=7 * 24 * 60)
    assert [each[0] for each in mails(live, before)[1:]] == [subject]


def test_three_refusals_are_three_mails(live: Live) -> None:
    """As each of them would have had alone."""
    before = len(live.cloud.notices)
    registered(live, names(3), server_certificate=without_consent(live.world))
    subjects = sorted(subject for subject, _ in mails(live, before))
    assert [s.rpartition(": ")[0].split(": ")[-1] for s in subjects] == [
        f"{n} refused" for n in names(3)
    ]


def test_when_it_is_over_for_many_that_is_one_mail(live: Live) -> None:
    """Their owner has consented."""
    secret = without_consent(live.world)
    registered(live, names(4), server_certificate=secret)
    before = len(live.cloud.notices)
    live.cloud.client("secretsmanager").tag_resource(
        SecretId=secret,
        Tags=[{"Key": "certifier:source", "Value": "team-*"}],
    )
    live.tick(minutes=25 * 60)
    assert {live.world.outcome(n) for n in names(4)} == {"certified"}
    ((subject, _),) = mails(live, before)
    assert subject.endswith("4 sources certified again")


@pytest.mark.parametrize("state", ["Tidy", "Report"])
def test_an_execution_that_is_cut_off_loses_no_notice(live: Live, state: str) -> None:
    """The next run of the sources still has news, and says it once."""
    before = len(live.cloud.notices)
    live.cloud.stop_run_at(state)
    registered(live, names(4), server_certificate=without_consent(live.world))
    assert mails(live, before) == []
    live.tick(minutes=25 * 60)
    ((subject, _),) = mails(live, before)
    assert subject.endswith("4 sources refused: not_allowed")
    live.tick(minutes=25 * 60)
    assert len(mails(live, before)) == 1


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.KILL_AFTER])
def test_a_report_that_dies_is_called_again_and_repeats_no_mail(live: Live, kind: Kind) -> None:
    """It dies as it writes its last page: all was sent by then, and the table knows."""
    before = len(live.cloud.notices)
    live.cloud.faults.inject("s3", "PutObject", kind, caller="report", nth=4)
    registered(live, names(4), server_certificate=without_consent(live.world))
    assert len(mails(live, before)) == 1


def test_a_mail_that_cannot_be_sent_is_sent_by_the_next_runs(live: Live) -> None:
    """The report lacks the right; the pipeline still gets its answer, and the log says so."""
    before = len(live.cloud.notices)
    statements = live.cloud._rights._of_role("report")
    for statement in list(statements):
        if "sns:Publish" in statement["Action"]:
            statements.remove(statement)
    registered(live, names(4), server_certificate=without_consent(live.world))
    assert mails(live, before) == []
    live.cloud._rights._statements.clear()
    live.tick(minutes=25 * 60)
    ((subject, _),) = mails(live, before)
    assert subject.endswith("4 sources refused: not_allowed")
