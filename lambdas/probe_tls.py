"""Probes the PostgreSQL host over TLS, as strictly as DMS will."""

from certifier.steps.probe_tls import ProbeEvent, ProbeSettings, run
from lambdas._step import Step

handler = Step(run, event=ProbeEvent, settings=ProbeSettings)
