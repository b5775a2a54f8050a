"""What all tests share: the mark by which a test says which causes of the catalogue it shows."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register ``shows``; ``certifier.diagnosis.handbook`` reads the marks from the source."""
    config.addinivalue_line(
        "markers", "shows(*causes): something is really broken in the way that these causes name"
    )
