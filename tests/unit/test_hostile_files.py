"""Source files that read differently for a reviewer and a program, or that break a reader."""

from pathlib import Path

import pytest

from certifier.cli import main

GOOD = '{"name": "orders", "endpoint": "orders", "host": "db.example.com", "ssl_mode": "require"'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (GOOD + ', "host": "evil.example.com"}', "host: stands twice in one object"),
        (f'[{GOOD}}}, {GOOD}, "port": 1, "port": 2}}]', "port: stands twice in one object"),
        ('{"\\u001b[2J": 1, "\\u001b[2J": 2}', "\\x1b[2J: stands twice in one object"),
        ("[" * 200_000, "is nested too deep"),
        ('{"sources":' * 20_000 + "1" + "}" * 20_000, "is nested too deep"),
        (GOOD + f', "port": {"9" * 6000}}}', "too many digits"),
        (GOOD + ', "port": NaN}', "port: must be a whole number"),
        (GOOD + ', "port": 1e400}', "port: must be a whole number"),
        ('{"\\ud800": 1}', "unable to parse raw data"),
        ("\0\0\0\0", "is not JSON"),
    ],
)
def test_a_file_means_one_thing_or_is_refused(
    body: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of AWS, with the status of content that is wrong."""
    file = tmp_path / "orders.json"
    file.write_text(body)
    assert main(["certify", str(file)]) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "evil" not in shown
    assert "\x1b" not in shown
