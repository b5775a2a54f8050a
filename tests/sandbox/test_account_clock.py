"""The served account says what time it is there: its clock runs ahead of the machine's."""

import http.client
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sandbox.serve import http as served
from sandbox.serve.wire import Asked

AHEAD = timedelta(hours=7)


class Tomorrow:
    """An account whose clock is hours ahead, and that answers nothing."""

    def answer(self, what: Asked, request: object) -> None:
        """Give no answer."""

    def now(self) -> datetime:
        """Some hours from now."""
        return datetime.now(UTC) + AHEAD

    def control(self, word: str, given: Mapping[str, Any]) -> None:
        """Give no answer."""


def test_an_answer_has_the_time_of_the_account() -> None:
    """In its header Date, by which the command line reckons ages."""
    with served.serving(Tomorrow(), port=0) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        said = parsedate_to_datetime(connection.getresponse().headers["Date"])
        connection.close()
    assert abs(said - datetime.now(UTC) - AHEAD) < timedelta(minutes=1)
