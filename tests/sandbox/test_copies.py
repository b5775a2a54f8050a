"""Sources that are copies of one that was certified."""

import pytest

from sandbox.copies import copy_source
from sandbox.world import World

FIRST, OTHERS = "payments-1", ("payments-2", "payments-3")


@pytest.mark.real_clock("libpq verifies the server by the machine's clock")
def test_a_copy_is_a_source_of_its_own() -> None:
    """Certified again it is unchanged, as the first one is; a new CA reaches every endpoint."""
    with World.start() as world:
        source = world.source(name=FIRST, endpoint=f"{FIRST}-source")
        assert world.cloud.run({"sources": [source]}).status == "SUCCEEDED"
        copy_source(world.cloud, FIRST, OTHERS)
        names = (FIRST, *OTHERS)

        for field in ("endpoint_arn", "acm_arn", "record"):
            assert len({world.state(name)[field] for name in names}) == len(names), field
        held = world.cloud.acm.certificates()
        tags = {name: held[world.state(name)["acm_arn"]].tags for name in names}
        assert {name: tag["certifier:source"] for name, tag in tags.items()} == {
            n: n for n in names
        }

        since = len(world.cloud.calls)
        run = world.cloud.run({"names": [*names]})
        assert [child.outcome for child in run.children] == ["certified"] * len(names)
        writes = world.cloud.calls.of("dms", "acm", since=since, writes=True)
        assert {call.operation for call in writes} == {"TestConnection"}

        world.renew()
        assert {world.outcome(name) for name in names} == {"certified"}
        new = world.authority.certificate_pem.decode().strip()
        assert all(new in world.trusted(f"{name}-source") for name in names)
