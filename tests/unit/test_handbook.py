"""docs/reference/causes.md is the catalogue, and every cause in it was seen happening."""

from __future__ import annotations

from pathlib import Path

import pytest

from certifier.diagnosis import CATALOGUE
from certifier.vocabulary import Cause
from handbook.causes import markdown, scenarios

TESTS = Path(__file__).resolve().parents[1]


def test_no_cause_is_without_a_scenario() -> None:
    """Each cause of the catalogue is shown by a test that breaks something in just that way."""
    shown = set(scenarios(TESTS))
    assert sorted(set(CATALOGUE) - shown) == []


def test_every_cause_is_explained_in_full() -> None:
    """An entry has why, how it looks, the remedy, and who shows it."""
    text = markdown({Cause.SSL_OFF: ("tests/x.py::test_y",)})
    entry = text.partition("### ssl_off\n")[2].partition("###")[0]
    row = CATALOGUE[Cause.SSL_OFF]
    assert entry.startswith("\n*Error; may clear by itself.* PostgreSQL answered")
    looks = "\n".join(row.looks)
    assert f"```text\n{looks}\n```" in entry
    assert "**What to do:** Set ssl = on, ssl\\_cert\\_file" in entry
    assert "Shown by</summary>\n\n- `tests/x.py::test_y`\n" in entry
    for cause in CATALOGUE:
        assert f"### {cause.value}\n" in text


def folder_with(path: Path, text: str) -> Path:
    tests = path / "tests"
    (tests / "deep").mkdir(parents=True)
    (tests / "deep" / "test_it.py").write_text(text, encoding="utf-8")
    return tests


def test_marks_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """On functions, on classes, on one parameter, and in a table that a test is made from."""
    tests = folder_with(
        tmp_path,
        "import pytest\n"
        "TABLE = [pytest.param(1, marks=pytest.mark.shows('key_mismatch'))]\n"
        "@pytest.mark.shows('ssl_off', Cause.DNS_FAILED)\n"
        "def test_a(): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=[pytest.mark.shows('ssl_off')])])\n"
        "def test_b(x): ...\n"
        "@pytest.mark.parametrize('x', TABLE)\n"
        "def test_c(x): ...\n"
        "@pytest.mark.shows(Cause.TASK_NOT_RESTARTED)\n"
        "class TestD: ...\n",
    )
    at = "tests/deep/test_it.py::"
    assert scenarios(tests) == {
        Cause.SSL_OFF: (f"{at}test_a", f"{at}test_b"),
        Cause.DNS_FAILED: (f"{at}test_a",),
        Cause.KEY_MISMATCH: (f"{at}test_c",),
        Cause.TASK_NOT_RESTARTED: (f"{at}TestD",),
    }


@pytest.mark.parametrize("argument", ["'ssl_of'", "Cause.NOPE", "cause", "1"])
def test_a_mark_that_is_not_a_cause_is_an_error(tmp_path: Path, argument: str) -> None:
    """It names file and line."""
    tests = folder_with(tmp_path, f"\n@pytest.mark.shows({argument})\ndef test_a(): ...\n")
    with pytest.raises(ValueError, match=r"tests/deep/test_it\.py:2: .* is not a cause"):
        scenarios(tests)


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.shows('ssl_off')\ndef helper(): ...\n",
        "@pytest.mark.shows('ssl_off')\nclass Fake: ...\n",
        "@pytest.mark.skip\n@pytest.mark.shows('ssl_off')\ndef test_a(): ...\n",
        "@pytest.mark.shows('ssl_off')\n@pytest.mark.xfail(strict=True)\ndef test_a(): ...\n",
        "@pytest.mark.skipif(True)\n@pytest.mark.shows('ssl_off')\nclass TestA: ...\n",
    ],
)
def test_a_mark_on_what_is_not_run_is_an_error(tmp_path: Path, text: str) -> None:
    """A helper, or a test that is skipped, shows nothing."""
    with pytest.raises(ValueError, match=r"test_it\.py:\d: \w+ is not a test that is run"):
        scenarios(folder_with(tmp_path, text))


def test_a_mark_outside_of_the_files_of_tests_is_an_error(tmp_path: Path) -> None:
    """pytest does not look for tests there."""
    (tmp_path / "tests").mkdir()
    text = "@pytest.mark.shows('ssl_off')\ndef test_a(): ...\n"
    (tmp_path / "tests" / "fakes.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"fakes\.py:2: test_a is not a test that is run"):
        scenarios(tmp_path / "tests")
