"""SNS: notify people."""

from typing import TYPE_CHECKING

from certifier.aws.clients import translated
from certifier.text import printable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SUBJECT_LIMIT = 100  # characters, printable ASCII (SNS Publish)
MESSAGE_LIMIT = 8 * 1024  # bytes of ours; SNS takes 256 KiB, a person less


class Topic:
    """One topic that people read."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, subject: str, message: str) -> None:
        """Send one message, cut to what a person reads; delivered at least once.

        What could move a terminal, and half of a character, are written as escapes.
        """
        ascii_only = printable(subject, SUBJECT_LIMIT * 2).encode("ascii", "replace").decode()
        lines = (printable(line, MESSAGE_LIMIT) for line in message.split("\n"))
        body = "\n".join(lines).encode()[:MESSAGE_LIMIT].decode(errors="ignore")
        with translated():
            self._client.publish(
                TopicArn=self._arn, Subject=ascii_only[:SUBJECT_LIMIT], Message=body
            )
