"""What a team does to its database, and what the world does to a team: one function an act.

The demo's scenes and ``python -m sandbox do`` use the same ones. Each acts on the source ``orders``
of a :class:`sandbox.world.World` and returns one sentence about what it has done. With ``wait``
they return when the runs that they started have ended.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.x509.oid import NameOID

from sandbox.aws import Execution
from sandbox.pki import Authority
from sandbox.world import CREDENTIALS, PAIR, USER, World

SLOT_FAILURE = 'Replication slot "orders_slot" is active for PID 12345'
_PERIOD = re.compile(r"(\d{1,6})([smhd])")
_LONGEST = timedelta(days=3650)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def renew(world: World, *, wait: bool = True) -> str:
    """Renew CA and certificate: PostgreSQL serves the new one, then the secret gets it."""
    runs = world.renew(wait=wait)
    return f"PostgreSQL serves a certificate of {_ca(world)}, and {PAIR} has it{_started(runs)}"


def renew_ahead(world: World, *, wait: bool = True) -> str:
    """Put a new CA and certificate into the secret; PostgreSQL does not serve it yet (reload)."""
    world.issue()
    runs = world.announce(wait=wait)
    return f"{PAIR} has a certificate of {_ca(world)}; PostgreSQL does not serve it{_started(runs)}"


def reload(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """Let PostgreSQL serve the certificate that was issued last; no event says so."""
    world.serve()
    return f"PostgreSQL serves a certificate of {_ca(world)}"


def wrong_ca(world: World, *, wait: bool = True) -> str:
    """Put the CA of another team into the secret."""
    other = Authority.root("Another team's CA").certificate_pem.decode()
    runs = world.announce(wait=wait, ca=other)
    return f"{PAIR} has the CA of another team{_started(runs)}"


def right_ca(world: World, *, wait: bool = True) -> str:
    """Put the right certificate and CA into the secret again."""
    runs = world.announce(wait=wait)
    return f"{PAIR} has {_ca(world)} again{_started(runs)}"


def rotate_password(world: World, *, wait: bool = True) -> str:
    """Give the database user a new password, in PostgreSQL and in its secret."""
    password = secrets.token_urlsafe(18)
    world.server.execute(f"ALTER ROLE {USER} PASSWORD '{password}'")
    world.put_credentials(password)
    runs = world.cloud.emit_secret_label(CREDENTIALS, wait=wait)
    return f"{USER} has a new password, and {CREDENTIALS} has it{_started(runs)}"


def expire_soon(world: World, period: str = "5d", *, wait: bool = True) -> str:
    """Serve a certificate that expires soon: in 5d, or in the period that is given."""
    until = world.cloud.clock.now() + _period(period)
    runs = world.renew(wait=wait, new_authority=False, not_after=until)
    return f"PostgreSQL serves a certificate that expires in {period}{_started(runs)}"


def add_task(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """Let a task replicate from the endpoint of orders."""
    _endpoint(world)
    arn = world.add_task()
    return f"a task replicates from the endpoint of orders: {arn}"


def break_network(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """Let the replication instance not resolve any host name; our probe still does."""
    world.cloud.dms.resolve = {}
    return "no host name resolves for the replication instance (repair ends it)"


def break_after_change(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """Let DMS fail to connect with any settings of the endpoint but those it has now."""
    identifier = str(_endpoint(world)["EndpointIdentifier"])
    world.cloud.dms.fail_after_change(identifier)
    return f"{identifier} connects with the settings it has now, and no others (repair ends it)"


def task_will_not_restart(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """Let every task fail when it is started."""
    tasks = world.cloud.dms.tasks()
    if not tasks:
        raise ValueError("there is no task: do add-task first")
    for task in tasks:
        world.cloud.dms.set_task(task["ReplicationTaskArn"], start_failure=SLOT_FAILURE)
    return f"tasks fail when they are started: {SLOT_FAILURE} (repair ends it)"


def repair(world: World, *, wait: bool = True) -> str:  # noqa: ARG001
    """End what break-network, break-after-change and task-will-not-restart began."""
    dms = world.cloud.dms
    dms.resolve = world.cloud.hosts
    dms.judge = lambda _: None
    for task in dms.tasks():
        dms.set_task(task["ReplicationTaskArn"], start_failure=None)
    return "DMS reaches and connects to everything again, and tasks start"


def kill(world: World, state: str = "Test connection", *, wait: bool = True) -> str:  # noqa: ARG001
    """Stop the next run that enters "Test connection", or the state that is given."""
    known = world.cloud.child_states()
    if state not in known:
        raise WrongUsage(f"no run enters {state!r}; the states are {', '.join(sorted(known))}")
    world.cloud.stop_child_at(state)
    return f"the next run that enters {state!r} is killed there"


def tick(world: World, *, wait: bool = True) -> str:
    """Let ten minutes pass, and the schedule start what is due."""
    run = world.cloud.tick(wait=wait)
    names = ", ".join(
        sorted(f"{child.name} {child.outcome or 'was cut off'}" for child in run.children)
    )
    return f"ten minutes later; {names or 'nothing was due'}"


def skip(world: World, period: str = "1d", *, wait: bool = True) -> str:  # noqa: ARG001
    """Let a day pass at once, or the period that is given; the schedule goes on after it."""
    now = world.cloud.clock.advance(_period(period).total_seconds())
    return f"it is {now:%Y-%m-%d %H:%M} UTC"


Act = Callable[..., str]
ACTS: Mapping[str, Act] = {
    act.__name__.replace("_", "-"): act
    for act in (
        renew,
        renew_ahead,
        reload,
        wrong_ca,
        right_ca,
        rotate_password,
        expire_soon,
        add_task,
        break_network,
        break_after_change,
        task_will_not_restart,
        repair,
        kill,
        tick,
        skip,
    )
}
"""What ``python -m sandbox do`` knows, by the word that is typed."""
_WITH_ARGUMENT = ("expire-soon", "skip", "kill")


class WrongUsage(ValueError):
    """What was typed is not an act, or not an argument of it."""


@dataclass(frozen=True)
class Asked:
    """An act and its arguments, known to fit each other."""

    act: Act
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, words: tuple[str, ...]) -> "Asked":
        """Read what was typed.

        Raises:
            WrongUsage: there is no such act, or it takes no argument, or not this one.
        """
        name, *arguments = words or ("",)
        if name not in ACTS:
            raise WrongUsage(f"there is no act {name!r}; there are {', '.join(ACTS)}")
        if len(arguments) > (name in _WITH_ARGUMENT):
            raise WrongUsage(f"{name} takes no argument {arguments[-1]!r}")
        if arguments and name != "kill":
            _period(arguments[0])
        return cls(ACTS[name], tuple(arguments))


def _period(text: str) -> timedelta:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise WrongUsage(f"{text!r} is not a period such as 90s, 15m, 3h or 5d")
    period = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if period > _LONGEST:
        raise WrongUsage(f"{text!r} is longer than {_LONGEST.days}d")
    return period


def _endpoint(world: World) -> Mapping[str, Any]:
    found = world.endpoint()
    if found is None:
        raise ValueError("orders has no endpoint yet: certify it first")
    return found


def _ca(world: World) -> str:
    (name,) = world.authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f"CN={name.value!s}"


def _started(runs: list[Execution]) -> str:
    return "; the secret's event has started a run" if runs else ""
