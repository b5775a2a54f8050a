"""A server that is not PostgreSQL: whatever a test wants to stand on a port."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], None], *, seconds: float = 30.0) -> Iterator[int]:
    """Listen on a free loopback port, and give each connection to ``handle`` in its own thread.

    Yields the port. A connection is closed when ``handle`` returns, and at the end of the block;
    nothing in it waits longer than ``seconds``.
    """
    open_ones: set[socket.socket] = set()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(seconds)
            handle(connection)
        open_ones.discard(connection)

    def accept() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            open_ones.add(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            acceptor.join(seconds)
            for connection in list(open_ones):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(seconds)
