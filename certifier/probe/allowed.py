"""Whether a source may name a host at all: decided before anything connects, by us or by DMS."""

from certifier.probe.dial import Resolve, check_request, find_addresses
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.request import AddressPolicy, ProbeRequest
from certifier.vocabulary import Cause

SECONDS = 5.0
"""How long a name may take to resolve. Where it does not, the probe and DMS will say so."""


def addresses_of(
    host: str, port: int, policy: AddressPolicy, resolve: Resolve, *, seconds: float = SECONDS
) -> tuple[str, ...] | str:
    """Return the numeric addresses of a host that may be connected to, or why there are none.

    Args:
        seconds: how long it may take to resolve; ``SECONDS`` at most.
    """
    request = ProbeRequest(host=host, port=port, policy=policy)
    try:
        check_request(request)
        deadline = Deadline.after(min(seconds, SECONDS))
        found = find_addresses(request, resolve, deadline, lambda: None)
    except StageFailed as failed:
        return failed.seen
    return tuple(info[4][0] for info in found)


def objection_to(host: str, port: int, policy: AddressPolicy, resolve: Resolve) -> str | None:
    """Return why nobody may connect to this host and port; ``None``: they may.

    The name is resolved where this runs. One that resolves only elsewhere is let pass: the probe,
    which runs in the network of the settings, looks at its addresses again. DMS resolves it once
    more by itself, which nothing here can hold.
    """
    request = ProbeRequest(host=host, port=port, policy=policy)
    try:
        check_request(request)
        if not policy.local:
            find_addresses(request, resolve, Deadline.after(SECONDS), lambda: None)
    except StageFailed as failed:
        return failed.seen if failed.cause is Cause.ADDRESS_FORBIDDEN else None
    return None
