"""AWS on this machine: moto, its seams, the choke point, and :class:`Cloud`, which joins them."""

from sandbox.aws.calls import Call, Calls, Fault, Faults, Kind
from sandbox.aws.clock import Clock
from sandbox.aws.cloud import Cloud, Execution
from sandbox.aws.deploy import LambdaFault

__all__ = ["Call", "Calls", "Clock", "Cloud", "Execution", "Fault", "Faults", "Kind", "LambdaFault"]
