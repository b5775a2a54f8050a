"""What ``certifier certify`` shows while it follows a run."""

import io

from rich.console import Console

from certifier.cli.following import Word, _live, viewing
from certifier.cli.terminal import Terminal
from certifier.vocabulary import Outcome


def test_the_live_view_shows_what_is_busy_first_and_stays_short() -> None:
    """Of many sources, those that are still at work come first, and twenty at most are shown."""
    words: dict[str, Word] = {f"s{i:02d}": Outcome.CERTIFIED for i in range(40)}
    words |= {"busy": "Probe TLS", "odd": "\x1b[31mwaiting"}
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(_live(words))
    shown = console.export_text().splitlines()
    assert "40 of 42 done" in shown[0]
    assert shown[1].split() == ["busy", "Probe", "TLS"]
    assert len(shown) == 21
    assert "\\x1b[31mwaiting" in shown[2]


def test_without_a_terminal_each_change_is_a_line() -> None:
    """A pipeline's log gets one line for each step of each source, and none twice."""
    out = io.StringIO()
    with viewing(Terminal(out)) as view:
        view({"orders": "Probe TLS"})
        view({"orders": "Probe TLS", "sales": "waiting"})
        view({"orders": Outcome.CERTIFIED, "sales": "waiting"})
    assert out.getvalue().splitlines() == [
        "orders: Probe TLS",
        "sales: waiting",
        "orders: certified",
    ]
