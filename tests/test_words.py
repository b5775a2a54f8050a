"""The words of the field: what the project used to say, and says no more.

The list holds for every text file of the repository: code, documents, output, names of tests. An
underscore counts as a space, so that a name is read as the words it is made of. A word that has a
good use elsewhere is only listed with what made it wrong.
"""

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What says things in somebody else's words, or quotes ours.
SKIPPED = frozenset({"CHANGELOG.md", "LICENSE", "docs/aws-facts.md", "tests/test_words.py"})

OLD = {
    # a rollback
    r"\b(?:put|puts|putting)(?: \w+)? back\b": "roll back, rolled back",
    r"\brestor(?:e|es|ed|ing)\b(?! command| secret|\()": "roll back, rolled back",
    # a task that waits for a restart
    r"\bow(?:es|ed|ing)\b": "waits for a restart, pending restart",
    r"\b(?:stood|stands?|standing) still\b": "stopped for, is stopped",
    # the circuit breaker
    r"\bwaves?\b": "circuit breaker",
    # findings and causes
    r"\btime may (?:mend|help|heal)\b": "may clear by itself",
    r"\bmend(?:s|ed|ing)?\b": "repair, correct, clear",
    r"\bfought over\b": "reverted by others",
    r"\banchor untrusted before\b": "new trust anchor",
    r"\bpooler between\b": "TLS ends at a proxy",
    r"\bstricter clients miss\b": "what a strict verifier would reject, strict violations",
    r"\bnobody foresaw\b|\bunforeseen\b": "unexpected error",
    r"\bpair that postgresql serves\b": "the server's certificate and key",
    # permission
    r"\b(?:without|needs?|gives?|gave|has|have|no) leave\b": "permission, permitted",
    # notices and outcomes
    r"\b(?:leaves?|left) word\b|\bword is left\b": "write the outcome",
    r"\b(?:is|are|was|were|be|been|who|people|person|nobody|somebody|everybody)(?: not| been| are)?"
    r" (?:un)?told\b": "notified, reported, shown",
    r"\btell(?:s|ing)? (?:people|a person|nobody|somebody)\b": "notify",
    # states and commands
    r"\b(?-i:Look) again\b": "Read replication slots",
    r"\bask a server\b": "Check a server",
    # habits
    r"\bshall\b": "is to, should, must; target",
    r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b)\w": "is not a",
    r"\b(?:that|which) (?:is|are) (?-i:none)\b(?! of\b)": "not a valid",
    r"\bwhoever's\b": "a plain sentence",
}

# Parts of names in Python code, where they stand without the sentence that would show their sense.
OLD_IN_NAMES = {
    "told": "notified, printed, received, or what it is: a payload, an answer",
    "untold": "not notified",
    "tell": "print, notify, report",
    "telling": "printing, notifying, reporting",
    "concerned": "affected",
    "understand": "parse",
    "discreet": "redacted",
    "mendable": "clearing",
    "belief": "proof",
    "putting": "put_op",
    "updating": "update_op",
    "changing": "change_op",
    "checking": "check_op",
}
PYTHON = ("certifier", "stacks", "lambdas", "handbook", "sandbox", "smoke", "bench", "tests")
_PART = re.compile(r"[a-z]+|[A-Z][a-z]*")


def old_names(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, name, what we say instead) for each name of Python code with an old word."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        # a test is named by a sentence, which is read as text
        if token.type == tokenize.NAME and not token.string.startswith("test_"):
            for part in _PART.findall(token.string):
                if instead := OLD_IN_NAMES.get(part.lower()):
                    yield token.start[0], token.string, instead


def old_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, old word, what we say instead) for each old word in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        spaced = line.replace("_", " ")
        for pattern, instead in OLD.items():
            if found := re.search(pattern, spaced, re.IGNORECASE):
                yield number, found[0], instead


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text file of the repository, as its path and what it holds."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in sorted(filter(None, listed.split("\0"))):
        if path in SKIPPED or path.endswith((".lock", "package-lock.json")):
            continue
        file = ROOT / path
        if not file.is_file() or file.is_symlink():
            continue
        try:
            yield path, file.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # an image
            continue


def test_the_old_words_are_gone() -> None:
    """No file of the repository uses one; the list says what to write instead."""
    read = dict(texts())
    assert len(read) > 200
    found = [
        f"{path}:{line}: {word!r}: write {instead}"
        for path, text in read.items()
        for line, word, instead in old_words(text)
    ]
    assert found == []


def test_no_name_in_code_is_an_old_word() -> None:
    """Variables, arguments, functions and classes, which sentences do not show."""
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name!r}: write {instead}"
        for top in PYTHON
        for file in sorted((ROOT / top).rglob("*.py"))
        for line, name, instead in old_names(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code", ["told = facts(leaf)", "def f(untold): ...", "fake.told", "x = toldOf", "_tell_of()"]
)
def test_an_old_word_in_a_name_is_found(code: str) -> None:
    """Whatever it is a name of."""
    assert list(old_names(code))


@pytest.mark.parametrize("code", ["tolds = 1", "total = 1", "x = 'told'", "# told apart"])
def test_a_good_name_is_not(code: str) -> None:
    """Other words, and what is text."""
    assert list(old_names(code)) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The endpoint was put back.",
        "def _put_it_back(",
        "An owed task",
        "task_owed",
        "resume-wave",
        "it stood_still for 3 s",
        "What time may mend",
        "It needs leave.",
        "endpoint as it shall be",
        "The secret is no PEM.",
        "a date that is none",
        "A person is told.",
        "It leaves word.",
        "Look again",
        "Something that nobody foresaw.",
    ],
)
def test_an_old_word_is_found(sentence: str) -> None:
    """Also inside a name."""
    assert list(old_words(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no such database.",
        "It is no longer ours.",
        "It leaves the endpoint alone.",
        "allowed_buckets",
        "Look at the task again.",
        "recommended",
    ],
)
def test_a_good_word_is_not(sentence: str) -> None:
    """What only looks like one."""
    assert list(old_words(sentence)) == []
