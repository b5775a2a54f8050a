"""The page of the fleet, as the last step of an execution leaves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.demo import DRAWN, save, save_fleet
from sandbox.world import NAME, World
from tests.browser.links import dead_links


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def page(world: World) -> str:
    return world.cloud.objects("reports/latest.html")["reports/latest.html"].decode()


def test_every_execution_leaves_the_page_of_the_fleet(world: World, tmp_path: Path) -> None:
    """With its own rights; each run is one more mark, and every link of every page leads somewhere.

    An execution with nothing to do leaves it as it is.
    """
    world.onboard()
    first = page(world)
    assert "The source is certified" in first
    assert f'id="s-{NAME}"' in first
    world.cloud.tick(minutes=24 * 60)
    second = page(world)
    assert "last 2 runs: 2 certified" in second
    world.cloud.tick()
    assert page(world) == second
    save(world, tmp_path)
    assert dead_links(tmp_path) == []


def test_a_refusal_is_on_the_page_with_what_to_do(world: World) -> None:
    """Of a source whose pair's secret nobody lets Certifier read."""
    secret = world.cloud.put_secret("dms/payroll-tls", world.pair(), tags={})
    world.onboard(name="payroll", endpoint="payroll-source", server_certificate=secret)
    (refusal, *_) = world.record("payroll")["findings"]
    assert "1 of 1 source needs a person" in page(world)
    assert refusal["cause"] in page(world)
    assert refusal["remedy"].split(".")[0] in page(world)


def test_the_demo_leaves_the_page_of_a_fleet(world: World, tmp_path: Path) -> None:
    """Of the sources of its story, and of as many more as make two hundred."""
    world.onboard()
    save(world, tmp_path)
    save_fleet(world, tmp_path)
    html = (tmp_path / "fleet.html").read_text()
    assert html.count('class="sheet"') == DRAWN + 1
    assert f'id="s-{NAME}"' in html
    assert dead_links(tmp_path) == []
