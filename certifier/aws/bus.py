"""EventBridge: tell other machines how a certification ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from certifier.aws.clients import translated
from certifier.errors import Unavailable, Unexpected
from certifier.run.announcement import Announcement
from certifier.vocabulary import EVENT_SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_OF_THE_SERVICE = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


class Bus:
    """One event bus, by its name or ARN."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def put(self, announced: Sequence[Announcement]) -> None:
        """Put events on the bus, all in one call; ten are the most that one takes.

        Raises:
            Refused: the bus is not ours to write to.
            Retryable, Unexpected: it did not take them, or not all: some may be on the bus.
        """
        with translated():
            answer = self._client.put_events(Entries=[self._entry(each) for each in announced])
        if answer.get("FailedEntryCount"):
            entries = answer.get("Entries", ())
            codes = sorted({each["ErrorCode"] for each in entries if "ErrorCode" in each})
            kind = Unavailable if _OF_THE_SERVICE.issuperset(codes) else Unexpected
            raise kind(f"PutEvents: {', '.join(codes)}")

    def _entry(self, announced: Announcement) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._bus,
            "Source": EVENT_SOURCE,
            "DetailType": announced.detail_type.value,
            "Detail": announced.detail.model_dump_json(),
            "Resources": list(announced.resources),
            "Time": announced.detail.recorded_at,
        }
