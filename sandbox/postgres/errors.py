"""What goes wrong with a server."""


class PostgresError(RuntimeError):
    """The server did not do what a test asked; the text says what, and shows the end of its log."""
