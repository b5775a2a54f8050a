"""What goes wrong on the way to AWS's trust store."""


class TrustStoreUnreachable(Exception):
    """A bundle could not be fetched; the text says why, and holds nothing that was sent."""
