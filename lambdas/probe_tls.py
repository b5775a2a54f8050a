"""Probes the PostgreSQL host over TLS, as strictly as DMS will."""

from certifier.steps.probe_tls import ProbeSettings, run
from certifier.steps.tools import StepEvent
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=ProbeSettings)
