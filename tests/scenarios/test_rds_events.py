"""RDS announces that it rotates the certificate of an instance; Aurora's sources name a cluster."""

from itertools import product
from typing import Any

from sandbox.world import NAME
from tests.scenarios.live import Live

TAIL = "abc123.eu-west-1.rds.amazonaws.com"


def rotation(
    live: Live, instance: str, *, event: str = "RDS-EVENT-0502", named: bool = True
) -> list[str]:
    """Let RDS announce a rotation; return the sources that were run for it.

    ``named``: by the identifier in the detail; otherwise its ARN alone says which instance it is.
    """
    arn = f"arn:aws:rds:{live.cloud.region}:{live.cloud.account}:db:{instance}"
    detail = {
        "EventCategories": ["security"],
        "SourceType": "DB_INSTANCE",
        "SourceArn": arn,
        "EventID": event,
        **({"SourceIdentifier": instance} if named else {}),
    }
    (run,) = live.cloud.emit("aws.rds", "RDS DB Instance Event", detail, (arn,))
    assert run.status == "SUCCEEDED", run.cause
    return [str(child.name) for child in run.children]


def test_an_instance_of_a_cluster_runs_the_sources_on_the_clusters_host(live: Live) -> None:
    """Select sources may ask RDS for the cluster, and asks once; a stranger runs nothing."""
    rds: Any = live.cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="correct-horse",
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders-1",
        DBClusterIdentifier="orders",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    live.world.onboard(host=f"orders.cluster-{TAIL}", probe="off")
    since = live.now
    assert rotation(live, "orders-1") == [NAME]
    assert len(live.cloud.calls.of("rds", since=since)) == 1
    assert rotation(live, "orders") == []


def test_every_member_of_every_kind_of_cluster_is_an_instance(live: Live) -> None:
    """Both events in both forms: of Multi-AZ, of Aurora Serverless, and of an instance's own host.

    Aurora and Multi-AZ clusters have endpoints of the same forms.
    """
    rds: Any = live.cloud.client("rds")
    multi_az: dict[str, Any] = {
        "Engine": "postgres",
        "DBClusterInstanceClass": "db.m6gd.large",
        "AllocatedStorage": 100,
        "StorageType": "io1",
        "Iops": 1000,
    }
    aurora: dict[str, Any] = {"Engine": "aurora-postgresql"}
    kinds = {
        "multi": (multi_az, "db.m6gd.large", f"multi.cluster-{TAIL}"),
        "serverless": (aurora, "db.serverless", f"serverless.cluster-ro-{TAIL}"),
        "member": (aurora, "db.r6g.large", f"member-1.{TAIL}"),
    }
    for name, (settings, size, host) in kinds.items():
        rds.create_db_cluster(
            DBClusterIdentifier=name,
            MasterUsername="root",
            MasterUserPassword="correct-horse",
            **settings,
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-1",
            DBClusterIdentifier=name,
            DBInstanceClass=size,
            Engine=settings["Engine"],
        )
        live.world.onboard(name=name, endpoint=f"{name}-source", host=host, probe="off")
    for name in kinds:
        for event, named in product(("RDS-EVENT-0501", "RDS-EVENT-0502"), (True, False)):
            assert rotation(live, f"{name}-1", event=event, named=named) == [name]
            live.cloud.clock.advance(minutes=30)  # of so many runs, the schedule makes some wait
