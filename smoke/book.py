"""What a smoke writes down: the answers to open questions, checks that must hold, DMS's words."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

from certifier.diagnosis import explain
from certifier.text import printable
from certifier.vocabulary import Cause
from sandbox.acm import AcmSwitches
from sandbox.dms.switches import Switches


class Question(NamedTuple):
    """A fact that nobody has confirmed, and the section of the AWS facts that leaves it open."""

    section: str
    text: str


DMS_QUESTIONS: Mapping[str, Question] = {
    "hidden_test_after_modify": Question("3", "a modify starts a test of its own"),
    "hidden_test_after_create": Question("3", "a create starts a test of its own"),
    "hidden_test_delay": Question("3", "seconds from a modify to its hidden test"),
    "modify_invalidates_pass": Question("3", "a pass from before a modify starts no task"),
    "modify_while_testing_accepted": Question("3", "a modify is taken during a test"),
    "delete_while_testing_accepted": Question("3", "an endpoint can be deleted during a test"),
    "modify_resets_database_name": Question("3", "a modify without a database name clears it"),
    "plain_fields_mirrored": Question("3", "host and port stand in PostgreSQLSettings too"),
    "already_exists_names_arn": Question("2", "ResourceAlreadyExistsFault names the ARN"),
    "unmatched_filter_raises": Question("2", "a filter without a match is a fault"),
    "connection_filters_anded": Question("4", "two filters of DescribeConnections are ANDed"),
    "old_status_shown_for": Question("4", "seconds for which an old verdict is still shown"),
    "old_message_kept": Question("4", "LastFailureMessage outlives a later success"),
    "verify_without_certificate_refused": Question("1", "verify-* without a CA is refused"),
    "require_uses_root_certificate": Question("4.1", "`require` checks the CA of the endpoint"),
    "self_signed_trusted": Question("1", "a self-signed server can be its own CA"),
    "pem_normalised": Question("2", "a PEM comes back without the text around it"),
    "certificates_by_the_hundred": Question("2", "DescribeCertificates gives 100 at once"),
    "bundle_facts_from_last": Question("2", "dates of a bundle are those of its last CA"),
    "identifiers_lowered": Question("2", "identifiers come back in lower case"),
    "server_prefix_shown": Question("4.1", "a failure says 'connection to server at'"),
    "plugin_name_underscored": Question("3", "PluginName comes back with an underscore"),
    "failure_style": Question("4.1", "how a failure wraps libpq's words"),
}
ACM_QUESTIONS: Mapping[str, Question] = {
    "key_type_held": Question("7", "when a re-import must keep the kind of key"),
    "chain_required": Question("7", "a certificate of a CA needs its chain"),
    "algorithm_must_match_ca": Question("7", "a certificate's key is of its CA's kind"),
}
QUESTIONS: Mapping[str, Question] = {**DMS_QUESTIONS, **ACM_QUESTIONS}

DEFAULTS: Mapping[str, object] = {
    name: value
    for name, value in {**asdict(AcmSwitches()), **asdict(Switches())}.items()
    if name in QUESTIONS
}
"""What the stand-ins do unless a switch says otherwise."""

Answer = bool | float | str


@dataclass(frozen=True)
class Observed:
    """The answer to one question, and what it rests on."""

    value: Answer
    note: str = ""


@dataclass(frozen=True)
class Check:
    """Something that must hold in every account, because Certifier relies on it."""

    sentence: str
    holds: bool
    seen: str = ""


@dataclass(frozen=True)
class Words:
    """What AWS said in a situation. ``cause``: how the diagnosis reads it, for a failed test."""

    situation: str
    text: str
    cause: Cause | None = None


@dataclass
class Book:
    """Everything that was seen. ``hide`` turns a text into one that can be printed."""

    hide: Callable[[str], str] = printable
    seen: dict[str, Observed] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    """Why a story ended before its end, by its name."""
    left: list[str] = field(default_factory=list)
    """Commands that delete what could not be deleted."""

    @property
    def holds(self) -> bool:
        """Whether every story came to its end, every check held, and nothing was left behind."""
        return not self.ended and not self.left and all(check.holds for check in self.checks)

    def answer(self, name: str, value: Answer, note: str = "") -> None:
        """Answer a question by the name of its switch."""
        if name not in QUESTIONS:
            raise KeyError(name)
        self.seen[name] = Observed(value, self.hide(note))

    def check(self, sentence: str, holds: bool, seen: object = "") -> None:
        """Note whether something holds that must."""
        self.checks.append(Check(sentence, holds, "" if holds else self.hide(str(seen))))

    def said(self, situation: str, text: str) -> None:
        """Keep the words of a fault, whose exact text is not documented."""
        self.words.append(Words(situation, self.hide(text)))

    def failure(self, situation: str, message: str | None, expected: Cause | None) -> None:
        """Keep the words of a failed test, and check that the diagnosis reads them rightly."""
        cause = explain(message or "").cause
        self.words.append(Words(situation, self.hide(message or "no message"), cause))
        if expected is not None:
            seen = f"it reads {cause.value}"
            sentence = f"the diagnosis reads {expected.value} when {situation}"
            self.check(sentence, cause is expected, seen)

    def switches(self) -> Switches:
        """Return the DMS stand-in that plays this account; what was not seen stays the default."""
        return replace(Switches(), **self._of(Switches))

    def acm_switches(self) -> AcmSwitches:
        """Return the ACM stand-in that plays this account."""
        return replace(AcmSwitches(), **self._of(AcmSwitches))

    def _of(self, kind: type) -> dict[str, Any]:
        names = {one.name for one in fields(kind)}
        return {name: seen.value for name, seen in self.seen.items() if name in names}
