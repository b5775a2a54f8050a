"""Select sources: what started us, which sources that concerns, and the manifest for the Map.

It runs what is registered and registers nothing: its role may not. What Onboard hands over, it
takes from the document that the function of Onboard alone may write. Plan mode makes nothing due.
What events have run often of late waits for the next tick, and so does what is more
than a batch (``certifier.run.pace``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import Json

from certifier.aws.s3 import Documents
from certifier.errors import InvalidEvent, Refused, Unexpected
from certifier.models import Fact
from certifier.run.event import Event, run_id
from certifier.run.mail import about_nothing, about_unreadable
from certifier.run.measures import Measures, of_tick
from certifier.run.pace import last_run, waits_for_tick
from certifier.run.site import Site
from certifier.run.state import OnHold
from certifier.run.summary import ChildOutcome
from certifier.source import Source
from certifier.source_values import is_name
from certifier.steps.context import StepContext, StepSettings
from certifier.triggers import (
    AllDue,
    Everything,
    Named,
    NothingChanged,
    NotifyTest,
    OfCertificate,
    OfHost,
    OfIntended,
    OfSecret,
    Onboarded,
    affected_sources,
    parse_event,
)
from certifier.vocabulary import Cause, Mode, Origin, Outcome

SET_ASIDE = timedelta(hours=1)
"""How long a source that this version cannot read is left alone: a deployment may put it right."""


class SelectSettings(StepSettings):
    """How many sources that can start one tick takes at most, and where people are notified.

    ``docs_url``: where the documents are published, for the links in notices.
    """

    batch: Json[int]
    topic: str
    docs_url: str = ""


class SelectEvent(Event):
    """``event`` is what started the machine, raw; ``execution`` the machine's execution ARN."""

    event: Any
    execution: str


class Selection(Fact):
    """Where the manifest lies, how many sources it holds, and how they are to be run."""

    count: int
    bucket: str
    key: str
    mode: Mode
    origin: Origin


def run(
    event: SelectEvent,
    context: StepContext[SelectSettings],
    measure: Callable[[Measures], None],
) -> Selection:
    """Choose, register and make due what is asked for, and write the manifest.

    Raises:
        InvalidEvent: the event, or a source in it, is not understood; nothing was stored. Or all
            that was asked for by its name is on hold.
    """
    request = parse_event(event.event)
    mode = request.mode
    match request.choice:
        case Onboarded(execution):
            mode, chosen = _onboarded(execution, context)
        case Named(names):
            chosen = _named(names, context)
        case Everything():
            chosen = context.store.specs_all()
        case AllDue():
            chosen = _due(context)
        case NothingChanged():
            chosen = {}
        case NotifyTest():
            chosen = {}
            context.topic(context.settings.topic).publish(*_test_notice(event, context))
        case OfSecret() | OfCertificate() | OfIntended() | OfHost() as choice:
            chosen = _affected(choice, context)
    asked = isinstance(request.choice, Named | Onboarded)
    # Read once: what cannot be read there concerns some of those that are chosen, or none.
    affected = context.store.pauses().affected if chosen else frozenset[str]()
    good, words = _runnable(chosen, event.execution, context, affected, mode=mode, asked=asked)
    runnable = {source.name for source, _ in good}
    if mode is not Mode.PLAN and not isinstance(request.choice, AllDue):
        # If their run is cut off, or finds the source busy, what was asked for is not forgotten.
        context.store.set_due([source.name for source, _ in good], context.now())
        if request.origin is Origin.EVENT:
            good = _at_once(good, context)
    if mode is not Mode.PLAN:
        left = sorted(chosen.keys() - runnable)
        site = Site.of(event.execution, context.settings.installation, context.settings.docs_url)
        _set_aside(left, context, site, affected)
    key = _write(good, words, run_id(event.execution), context.documents)
    if isinstance(request.choice, AllDue):
        measure(of_tick(due=_how_many_are_due(len(chosen), context), taken=len(chosen)))
    return Selection(
        count=len(good),
        bucket=context.documents.bucket,
        key=key,
        mode=mode,
        origin=request.origin,
    )


def _write(
    good: Iterable[tuple[Source, int]],
    words: Iterable[ChildOutcome],
    execution: str,
    documents: Documents,
) -> str:
    """Write what is run, and of the others why not; return the key of the manifest.

    The manifest comes first: what is older than that counts as an earlier execution's.
    """
    items = [
        {
            "name": source.name,
            "spec": source.model_dump(mode="json", exclude_defaults=True),
            "version": version,
        }
        for source, version in good
    ]
    key = documents.write_manifest(execution, items)
    for word in words:
        documents.write_child_outcome(execution, word)
    return key


def _test_notice(event: SelectEvent, context: StepContext[SelectSettings]) -> tuple[str, str]:
    settings = context.settings
    sent = about_nothing(Site.of(event.execution, settings.installation, settings.docs_url))
    return sent.subject, sent.message


Chosen = Mapping[str, tuple[Source, int] | None]
"""Sources and their versions by name; ``None``: the table's spec is not valid any more."""


def _runnable(
    chosen: Chosen,
    execution: str,
    context: StepContext[SelectSettings],
    affected: Collection[str],
    *,
    mode: Mode,
    asked: bool,
) -> tuple[list[tuple[Source, int]], list[ChildOutcome]]:
    """Return the sources that can be run, and of the others why not.

    Args:
        affected: by a pause that this version cannot read.
        asked: by their names, so that it must be said of each that is on hold.

    Raises:
        InvalidEvent: all that was asked for is on hold.
    """
    good: list[tuple[Source, int]] = []
    words: list[ChildOutcome] = []
    held: dict[str, OnHold] = {}
    for name, spec in chosen.items():
        why = context.store.obstacle(name, affected)
        if isinstance(why, OnHold) and mode is not Mode.PLAN:
            held[name] = why
        elif spec is not None and (why is None or isinstance(why, OnHold)):
            good.append(spec)
        else:
            seen = why if isinstance(why, str) else "its SPEC was not valid"
            words.append(_unreadable(name, execution, seen))
    if not asked:
        return good, words
    if held and not good:
        raise InvalidEvent(*(f"{name}: {hold.words(name)}" for name, hold in held.items()))
    words += [_on_hold(name, execution, hold) for name, hold in held.items()]
    return good, words


def _due(context: StepContext[SelectSettings]) -> Chosen:
    """Return what is due: as many as a batch holds, and besides them what has a claim.

    That is a run which died, to be taken over, or one which takes its time, whose child is deferred
    at once: it must not keep those from their turn that can start.
    """
    store, room = context.store, context.settings.batch
    names = []
    for name in store.due(context.now(), context.settings.batch):
        try:
            state = store.state(name)
        except Unexpected:
            state = None
        if state is None or state.claim is None:
            if room == 0:
                continue
            room -= 1
        names.append(name)
    found = _read(names, context)
    for name in names:
        if name not in found:  # it has a time and no spec, so whoever asks for it registers it
            context.store.set_aside(name, context.now() + SET_ASIDE, "")
    return found


def _how_many_are_due(taken: int, context: StepContext[SelectSettings]) -> int:
    """Return how many sources are due; they are counted only when a tick may not take all."""
    if taken < context.settings.batch:
        return taken
    return max(context.store.due_count(context.now()), taken)


def _set_aside(
    names: Iterable[str],
    context: StepContext[SelectSettings],
    site: Site,
    affected: Collection[str],
) -> None:
    """Make due later what cannot be run, so that it takes nobody's turn, and notify people once."""
    for name in names:
        why = context.store.unreadable(name, affected)
        if why is None:
            continue
        noted = context.store.set_aside_for(name)
        if noted != why:
            sent = about_unreadable(site, name, why)
            try:
                context.topic(context.settings.topic).publish(sent.subject, sent.message)
                noted = why
            except (Refused, Unexpected):
                noted = noted or ""  # the next time tries again
        context.store.set_aside(name, context.now() + SET_ASIDE, noted)


def _at_once(
    good: Sequence[tuple[Source, int]], context: StepContext[SelectSettings]
) -> list[tuple[Source, int]]:
    """Return those that an event runs now; for the others the next tick is soon enough.

    As many as a tick takes, less those that run already or are about to, and first those that have
    not been run for the longest time: many sources may share a secret, many secrets may be rotated
    at once, and DMS takes a few calls a second.
    """
    ours = {source.name for source, _ in good}
    others = context.store.under_way(context.now(), context.settings.batch + len(ours)) - ours
    room = max(0, context.settings.batch - len(others))
    states = [(each, context.store.state(each[0].name)) for each in good]
    now = context.now()
    waiting = [(each, state) for each, state in states if not waits_for_tick(state, now)]
    waiting.sort(key=lambda one: last_run(one[1]))
    return [each for each, _ in waiting[:room]]


def _on_hold(name: str, execution: str, hold: OnHold) -> ChildOutcome:
    """Return the word for the report: who asks for it by its name must know."""
    return ChildOutcome(name=name, outcome=Outcome.DEFERRED, run=execution, seen=hold.words(name))


def _unreadable(name: str, execution: str, why: str) -> ChildOutcome:
    """Return the word for the report: one source never stops the others."""
    seen = f"{why}; deploy the version that wrote it, or register the source again"
    return ChildOutcome(
        name=name,
        outcome=Outcome.FAILED,
        run=execution,
        cause=Cause.SOURCE_INVALID,
        seen=seen,
    )


def _read(names: Iterable[str], context: StepContext[SelectSettings]) -> Chosen:
    """Return the specs of sources; one that was forgotten meanwhile is left out."""
    found: dict[str, tuple[Source, int] | None] = {}
    for name in names:
        try:
            spec = context.store.spec(name)
        except Unexpected:
            found[name] = None
        else:
            found |= {name: spec} if spec is not None else {}
    return found


def _named(names: tuple[str, ...], context: StepContext[SelectSettings]) -> Chosen:
    # Whatever else is asked for is not looked up: DynamoDB takes no key of any length.
    found = _read((name for name in names if is_name(name)), context)
    if unknown := [name for name in names if name not in found]:
        raise InvalidEvent(
            *(f"names: {_short(name)} is not a registered source" for name in unknown)
        )
    return found


def _short(name: str) -> str:
    """Return a name that may be anything at all, as it may be shown."""
    return repr(name[:60])


def _onboarded(execution: str, context: StepContext[SelectSettings]) -> tuple[Mode, Chosen]:
    """Return what an execution of Onboard hands over, and the mode in which that may run.

    To plan, the specs that it has checked; else the registered ones, whatever they are by now.
    """
    handed = context.documents.read_onboarding(execution)
    if handed is None:
        raise InvalidEvent(f"onboarded: no execution {_short(execution)} has handed anything over")
    if handed.mode is Mode.PLAN:
        return handed.mode, {each.name: (each.spec, each.version) for each in handed.sources}
    return handed.mode, _read((each.name for each in handed.sources), context)


def _affected(
    choice: OfSecret | OfCertificate | OfIntended | OfHost, context: StepContext[SelectSettings]
) -> Chosen:
    specs = context.store.specs_all()
    certificates: dict[str, tuple[str, ...]] = {}
    if isinstance(choice, OfHost):
        choice = OfHost(choice.instance, context.rds.cluster_of(choice.instance))
    if isinstance(choice, OfCertificate):
        certificates = {
            state.name: tuple(arn for arn in (state.acm_arn, state.acm_superseded) if arn)
            for state in context.store.states_all()
        }
    readable = (spec[0] for spec in specs.values() if spec is not None)
    return {name: specs[name] for name in affected_sources(choice, readable, certificates)}
