"""The CDK app: settings from context, one stack. ``npx cdk synth`` runs it."""

import sys

from aws_cdk import App

from stacks.certifier_stack import CertifierStack
from stacks.settings import InvalidSettings, Settings


def main() -> None:
    """Synthesize the stack, or say in one message everything that is wrong with the settings."""
    app = App()
    try:
        settings = Settings.from_context(app.node.get_all_context())
    except InvalidSettings as error:
        sys.exit("\n".join(("The settings are not usable:", *error.problems)))
    CertifierStack(app, settings.stack, settings=settings)
    app.synth()


if __name__ == "__main__":
    main()
