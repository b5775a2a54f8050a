"""Words that the documents use already and the code does not yet. This file goes with the last one.

A document is held against ``now(word)`` for each word of the code, so it is right before and after
the code is renamed.
"""

RENAMED = {
    "rolled_back": "rolled_back",
    "rolled_back": "rolled_back",
    "reset-breaker": "reset-breaker",
    "pending_restarts": "pending_restart",
    "stopped_seconds": "stopped_seconds",
    "Restored": "Rolled_back",
    "PendingRestarts": "PendingRestarts",
    "task_not_restarted": "task_not_restarted",
    "breaker_open": "breaker_open",
    "broken_after_rollback": "broken_after_rollback",
    "reverted_by_others": "reverted_by_others",
    "new_trust_anchor": "new_trust_anchor",
    "tls_ends_at_proxy": "tls_ends_at_proxy",
    "certifier.certification/3": "certifier.certification/3",
    "endpoint with its target settings": "endpoint with its target settings",
    "endpoint rolled back": "endpoint rolled back",
    "certifier.summary/1": "certifier.summary/2",
}


def now(word: str) -> str:
    """Return the word that the documents use for a word of the code."""
    return RENAMED.get(word, word)


def then(word: str) -> str:
    """Return the word of the code behind a word of the documents, while the two differ."""
    from certifier.cli import COMMANDS

    old = {new: old for old, new in RENAMED.items()}.get(word, word)
    return old if old in COMMANDS else word


MOVED = {
    "certifier/vocabulary.py": "certifier/outcome.py",
    "certifier/endpoint/fields.py": "certifier/models.py",
    "certifier/run/documents.py": "certifier/models.py",
    "certifier/run/notice.py": "certifier/decide.py",
    "certifier/run/plan.py": "certifier/plan.py",
}
"""Where the documents say that a file is, and where it is before it has moved."""
