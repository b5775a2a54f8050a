"""The served account's HTTP server, without an account behind it."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from threading import Event
from typing import Any

import pytest

from sandbox.serve import http
from sandbox.serve.wire import Asked

WITHIN = 5.0
"""Seconds for one of a hundred connections to be there."""


class Nobody:
    """An account that answers nothing."""

    def answer(self, what: Asked, request: object) -> None:
        """Give no answer."""

    def now(self) -> datetime:
        """Go by the machine."""
        return datetime.now(UTC)

    def control(self, word: str, given: Mapping[str, Any]) -> None:
        """Give no answer."""


def test_clients_that_come_while_the_server_is_busy_are_not_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred connect before the accepting thread gets a turn."""
    turn, accept = Event(), ThreadingHTTPServer.get_request

    def late(server: ThreadingHTTPServer) -> Any:
        turn.wait(10 * WITHIN)
        return accept(server)

    monkeypatch.setattr(ThreadingHTTPServer, "get_request", late)
    with http.serving(Nobody(), port=0) as port, ExitStack() as clients:
        clients.callback(turn.set)
        for _ in range(100):
            address = ("127.0.0.1", port)
            clients.enter_context(socket.create_connection(address, timeout=WITHIN))
