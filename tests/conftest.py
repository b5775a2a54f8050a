"""What all tests share: the day on which they run, their marks, and their order."""

import gc

import pytest
from hypothesis import settings

from tests import days

# At once: the modules, and the other conftest files, make certificates while they are imported.
days.travel()

# A busy machine is not a fault: no example has a time limit of its own.
settings.register_profile("ours", deadline=None, max_examples=days.share(100))
settings.load_profile("ours")

REAL_CLOCK = pytest.mark.real_clock("libpq verifies this test's server by the machine's clock")


def pytest_configure(config: pytest.Config) -> None:
    """Register ``shows``; ``handbook.causes`` reads the marks from the source."""
    config.addinivalue_line(
        "markers", "shows(*causes): something is really broken in the way that these causes name"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that in the end no worker is alone with it."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(REAL_CLOCK)
    here = set(days.chosen(items))
    left_out = [item for item in items if item not in here]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item in here]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Let the collection of garbage pass over what stays to the end, and come more rarely.

    moto, botocore and thousands of tests are some million objects; to look at them again and again
    is a tenth of the time that the tests take.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)
