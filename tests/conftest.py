"""What all tests share: the mark by which a test says which causes it shows, and their order."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register ``shows``; ``handbook.causes`` reads the marks from the source."""
    config.addinivalue_line(
        "markers", "shows(*causes): something is really broken in the way that these causes name"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that in the end no worker is alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
