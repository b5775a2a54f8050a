"""Who may put what on which bus, and that it starts nothing: read from the template."""

from typing import Any

import pytest

from certifier.run.announcement import DetailType
from certifier.vocabulary import EVENT_SOURCE
from stacks.settings import InvalidSettings, Settings
from tests.stacks.conftest import EVERY_SETTING, flat, functions, listed, statements
from tests.stacks.test_triggers import event, matching


def puts(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for s in statements(template) if "events:PutEvents" in listed(s["Action"])]


@pytest.mark.parametrize("detail_type", DetailType)
@pytest.mark.parametrize("which", ["template", "full_template"])
def test_no_rule_of_the_stack_matches_an_event_of_ours(
    which: str, detail_type: DetailType, request: pytest.FixtureRequest
) -> None:
    """What Record announces starts nothing, on whichever bus it is."""
    one = request.getfixturevalue(which)
    assert matching(one, event(EVENT_SOURCE, detail_type.value, name="orders")) == []


def test_record_alone_puts_events_of_our_source_on_the_one_bus(
    template: dict[str, Any], full_template: dict[str, Any]
) -> None:
    """The default bus of this account, or the bus of the setting, under our own name."""
    (default,), (hub,) = puts(template), puts(full_template)
    assert flat(default["Resource"]).endswith(":event-bus/default")
    assert flat(hub["Resource"]) == EVERY_SETTING["certifier:event_bus"]
    for one in (default, hub):
        assert one["Condition"] == {"StringEquals": {"events:source": EVENT_SOURCE}}
    role = functions(template)["record_certification"]["Role"]["Fn::GetAtt"][0]
    assert default in statements(template, role)


@pytest.mark.parametrize(
    "bus",
    [
        "default",
        "platform",
        "aws.partner/example.com/1",
        "arn:aws:events:eu-west-1:444455556666:event-bus/hub",
    ],
)
def test_a_bus_is_a_name_or_an_arn(bus: str) -> None:
    """As PutEvents takes it."""
    assert Settings.from_context(given(bus)).event_bus == bus


@pytest.mark.parametrize("bus", ["", "a bus", "arn:aws:sns:eu-west-1:444455556666:hub", "*", "a:b"])
def test_what_is_not_a_bus_is_refused(bus: str) -> None:
    """A star would be a grant on every bus."""
    with pytest.raises(InvalidSettings, match="event_bus"):
        Settings.from_context(given(bus))


def given(bus: str) -> dict[str, Any]:
    return {"certifier:secret_prefixes": ["dms/"], "certifier:event_bus": bus}
