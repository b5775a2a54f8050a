"""What is disturbed: a handful of stories, and how each one ends when nobody disturbs it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.aws import Execution
from sandbox.world import CREDENTIALS, ENDPOINT, NAME, PAIR, TARGET, World

OTHER = "warehouse"
LOGIN = "orders_login"
"""The user of the sources; the other end of a task has one of its own."""
FIRST, LATER = "the-first-password-of-1", "a-later-password-of-42"
PAUSING = "Pause tasks: wait"
"""Where the second of two sources overtakes the first: that has asked the shared task to stop."""


@dataclass(frozen=True)
class Story:
    """A story.

    Attributes:
        summary: what happens, in a line.
        names: the sources that take part.
        prepare: what has happened before; never disturbed.
        act: what is disturbed; returns the executions that it has started.
        outcome: how the last run of every source ends.
        later: how it may end where the schedule goes on for days.
        overtakes_at: the state of the first child at which the others run, where there are others.
    """

    name: str
    summary: str
    prepare: Callable[[World], object]
    act: Callable[[World], list[Execution]]
    names: tuple[str, ...] = (NAME,)
    outcome: str = "certified"
    later: tuple[str, ...] = ()
    overtakes_at: str | None = None

    @property
    def ends(self) -> tuple[str, ...]:
        """Every outcome that is true of it."""
        return (self.outcome, *self.later)


def begin(world: World) -> None:
    """Let the sources have their own login, with its first password."""
    world.server.execute(
        f"DO $$ BEGIN CREATE ROLE {LOGIN}; EXCEPTION WHEN duplicate_object THEN END $$"
    )
    log_in_with(world, FIRST)


def log_in_with(world: World, password: str) -> None:
    """Change the password of the sources: on the server, then in their secret."""
    let_log_in_with(world, password)
    world.put_credentials(password, username=LOGIN)


def let_log_in_with(world: World, password: str) -> None:
    """Change the password on the server."""
    world.server.execute(f"ALTER ROLE {LOGIN} LOGIN PASSWORD '{password}'")


def _another(world: World) -> None:
    """An account in which one source is certified already."""
    begin(world)
    world.onboard(name=OTHER, endpoint="warehouse-source")


def _create(world: World) -> list[Execution]:
    return [world.onboard()]


def _with_task(world: World, **changes: str) -> None:
    begin(world)
    world.onboard(restart_tasks=True, **changes)
    world.add_task()


def _renewed_under_a_task(world: World) -> None:
    """A certified source with a running task, and a new certificate, served already."""
    _with_task(world)
    _renewed(world)


def _renewed(world: World) -> None:
    world.issue()
    world.serve()
    world.put_pair()


def _announce(world: World) -> list[Execution]:
    return world.cloud.emit_secret_label(PAIR)


def _broken_by_the_change(world: World) -> None:
    """A pair that PostgreSQL does not serve yet, and a DMS that takes no new settings."""
    _with_task(world)
    world.issue()
    world.put_pair()
    world.cloud.dms.fail_after_change(ENDPOINT)


def _shared_task(world: World) -> None:
    """Both ends of one task are sources; the pair of both is renewed, and not served yet.

    Were it served already, neither end would connect, so neither change might stop the task.
    """
    begin(world)
    world.onboard(restart_tasks=True)
    world.onboard(name=OTHER, endpoint=TARGET, endpoint_type="target", restart_tasks=True)
    world.add_task()
    world.issue()
    world.put_pair()


def _inline_under_a_task(world: World) -> None:
    """A certified source whose password is set on the endpoint, and a running task."""
    _with_task(world, credentials_mode="inline")


def _rotate_password(world: World) -> list[Execution]:
    log_in_with(world, LATER)
    return world.cloud.emit_secret_label(CREDENTIALS)


STORIES = {
    story.name: story
    for story in (
        Story("create", "a source is onboarded; its endpoint is made", _another, _create),
        Story(
            "rotate",
            "CA and certificate are renewed while a task runs that may be paused",
            _renewed_under_a_task,
            _announce,
        ),
        Story(
            "rollback",
            "the rehearsal passes, and DMS cannot connect after the change",
            _broken_by_the_change,
            _announce,
            outcome="rolled_back",
            later=("planned",),
        ),
        Story(
            "shared",
            "both ends of one running task are renewed at the same time",
            _shared_task,
            _announce,
            names=(NAME, OTHER),
            overtakes_at=PAUSING,
        ),
        Story(
            "password",
            "a password that is set on the endpoint is rotated while a task runs",
            _inline_under_a_task,
            _rotate_password,
        ),
    )
}
