"""How near an expiry is, and every mail that is sent about it, for certificates of any life."""

from datetime import UTC, datetime, timedelta

import pytest

from certifier.certificate import Expiring, Role
from certifier.certificate.lifetime import Lifetime
from certifier.diagnosis import finding
from certifier.run.ending import Ending
from certifier.run.notice import (
    Notified,
    attention,
    expiry_words,
    notice,
    notified_from_now_on,
    unreported,
)
from certifier.vocabulary import Cause, Outcome, Severity, Witness
from tests.unit.situations import AT

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(minutes=10)
WARNING_DAYS = 30


def life(days: int) -> Lifetime:
    return Lifetime(START, START + days * DAY)


@pytest.mark.parametrize(
    ("days", "window", "late"),
    [
        (6, 2, 1),
        (45, 15, 7.5),
        (47, 47 / 3, 47 / 6),
        (64, 64 / 3, 64 / 6),
        (90, 30, 14),
        (198, 30, 14),
        (398, 30, 14),
        (3 * 365, 30, 14),
    ],
)
def test_the_window_is_a_share_of_the_life(days: int, window: float, late: float) -> None:
    """A third of it at most; a sixth of it, or 14 days, is late."""
    one = life(days)
    second = timedelta(seconds=1)
    opens, urgent = one.ends - window * DAY, one.ends - late * DAY
    assert not one.expires_soon(opens - second, WARNING_DAYS)
    assert one.expires_soon(opens + second, WARNING_DAYS)
    assert not one.is_late(urgent - second)
    assert one.is_late(urgent + second)


def test_a_life_that_nobody_knows_has_windows_of_days() -> None:
    """A certificate whose start could not be read, or that ends before it starts."""
    for one in (Lifetime(None, START), Lifetime(START + DAY, START)):
        assert one.window(WARNING_DAYS) == 30 * DAY
        assert one.is_late(START - 14 * DAY)
        assert not one.is_late(START - 15 * DAY)
        assert one.share_left(START) is None


@pytest.mark.parametrize(("after", "share"), [(-1, 1.0), (0, 1.0), (45, 0.5), (90, 0), (99, 0)])
def test_the_share_left_is_between_one_and_nothing(after: int, share: float) -> None:
    """Whatever the clock says."""
    assert life(90).share_left(START + after * DAY) == share


def ending(now: datetime, one: Expiring) -> Ending:
    """A run that is good while the certificate is valid, and fails afterwards."""
    if now <= one.not_after:
        found = unreported((one,), (), warning_days=WARNING_DAYS, now=now)
        return Ending(Outcome.CERTIFIED, found)
    expired = finding(Cause.CERTIFICATE_EXPIRED, place=Witness.PROBE, seen="it has expired")
    return Ending(Outcome.REFUSED, (expired,))


def mails(days: int, every: timedelta, *, until: int) -> list[int]:
    """Days left, rounded up, at which people are notified, until some days after the end.

    No run comes in the very second in which something ends.
    """
    one = Expiring(role=Role.LEAF, title="CN=db", not_before=START, not_after=START + days * DAY)
    notified: Notified = {}
    sent, now = [], max(START, one.not_after - 40 * DAY) + timedelta(minutes=1)
    while now <= one.not_after + until * DAY:
        end = ending(now, one)
        needs = attention(
            end,
            pending_restarts=(),
            waiting_since=None,
            now=now,
            expiries=expiry_words((one,), warning_days=WARNING_DAYS, now=now),
        )
        got = notice(AT, end, needs=needs, notified=notified, now=now)
        if got is not None:
            sent.append(-((now - one.not_after) // DAY))  # rounded up
        notified = notified_from_now_on(end, needs, notified, sent=got is not None, now=now)
        now += every
    return sent


LONG = [30, 23, 16, 14, 7, 3, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "daily", "every_tick"),
    [
        (6, [2, 1, 0], [2, 1, 0]),
        (45, [15, 14, 7, 3, 1, 0], [15, 14, 7, 3, 1, 0]),
        (47, [15, 14, 7, 3, 1, 0], [16, 14, 7, 3, 1, 0]),
        (64, [21, 14, 7, 3, 1, 0], [22, 15, 14, 7, 3, 1, 0]),
        (90, LONG, LONG),
        (198, LONG, LONG),
        (398, LONG, LONG),
        (3 * 365, LONG, LONG),
    ],
)
def test_every_mail_about_an_expiry(days: int, daily: list[int], every_tick: list[int]) -> None:
    """On entering the window, at 14, 7, 3, 1 and 0 days inside it, and again after a week.

    The mail of day 0 is the one in which the expiry itself is reported. A third of 47 and 64 days
    is not a whole number, so that a daily run enters the window a little later.
    """
    assert mails(days, DAY, until=5) == daily
    assert mails(days, TICK, until=5) == every_tick


def test_what_has_expired_is_reported_every_week() -> None:
    """Neither daily nor hourly, however often the source is run."""
    assert mails(90, timedelta(hours=1), until=22)[len(LONG) :] == [-7, -14, -21]


def test_a_renewal_ends_it_without_a_mail() -> None:
    """Nobody was woken for a warning, so nobody is notified of its end."""
    notified: Notified = {"expires:leaf:20260530:window": START}
    good = Ending(Outcome.CERTIFIED, ())
    assert notice(AT, good, needs=(), notified=notified, now=START) is None
    assert notified_from_now_on(good, (), notified, sent=False, now=START + 2 * DAY) == {}


def test_what_comes_and_goes_is_one_mail_a_day() -> None:
    """A warning that is there in every second run."""
    found = finding(Cause.KEY_TOO_SMALL, place=Witness.PROBE, seen="1024 bits")
    notified: Notified = {}
    sent = 0
    for hour in range(48):
        now = START + timedelta(hours=hour)
        end = Ending(Outcome.CERTIFIED, (found,) if hour % 2 == 0 else ())
        needs = attention(end, pending_restarts=(), waiting_since=None, now=now)
        got = notice(AT, end, needs=needs, notified=notified, now=now)
        sent += got is not None
        notified = notified_from_now_on(end, needs, notified, sent=got is not None, now=now)
    assert sent == 2


def test_a_task_that_is_stopped_again_is_news() -> None:
    """Also within the day in which people were notified of the last time."""
    end = Ending(Outcome.CERTIFIED, ())
    needs = attention(end, pending_restarts=("t",), waiting_since=None, now=START)
    notified = notified_from_now_on(end, needs, {}, sent=True, now=START)
    over = notice(AT, end, needs=(), notified=notified, now=START + DAY / 24)
    assert over is not None
    assert "again" in over.subject
    notified = notified_from_now_on(end, (), notified, sent=True, now=START + DAY / 24)
    assert notice(AT, end, needs=needs, notified=notified, now=START + DAY / 12)


def test_a_cause_that_becomes_an_error_is_news() -> None:
    """The weight of what needs a person has risen."""
    seen = {"place": Witness.PROBE, "seen": "1024 bits"}
    light = Ending(Outcome.REFUSED, (finding(Cause.KEY_TOO_SMALL, **seen),))  # type: ignore[arg-type]
    heavy = Ending(
        Outcome.REFUSED,
        (finding(Cause.KEY_TOO_SMALL, severity=Severity.ERROR, **seen),),  # type: ignore[arg-type]
    )
    needs = attention(light, pending_restarts=(), waiting_since=None, now=START)
    notified = notified_from_now_on(light, needs, {}, sent=True, now=START)
    more = attention(heavy, pending_restarts=(), waiting_since=None, now=START)
    assert notice(AT, heavy, needs=more, notified=notified, now=START) is not None
