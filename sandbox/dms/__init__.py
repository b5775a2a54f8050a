"""A stand-in for AWS DMS that behaves as the AWS facts say, with real libpq connection tests."""

from sandbox.dms.libpq import BLACKHOLE
from sandbox.dms.standin import Call, DmsStandIn
from sandbox.dms.switches import INSTANT, Durations, FailureStyle, Quotas, Switches

__all__ = [
    "BLACKHOLE",
    "INSTANT",
    "Call",
    "DmsStandIn",
    "Durations",
    "FailureStyle",
    "Quotas",
    "Switches",
]
