"""The environment of the steps that create or change endpoints."""

from certifier.steps.context import StepSettings


class DmsSettings(StepSettings):
    """The role through which DMS reads the secret of an endpoint."""

    dms_secret_role: str
