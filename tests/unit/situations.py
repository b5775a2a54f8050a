"""One source at the end of a run, for the tests of what people are notified of."""

from datetime import UTC, datetime, timedelta
from typing import Any

from certifier.run.documents import StoppedTask
from certifier.run.mail import Situation
from certifier.run.site import Site

NOW = datetime(2026, 11, 30, 13, 13, tzinfo=UTC)
RUN = "arn:aws:states:eu-west-1:111122223333:execution:Certifier-Machine/Source:5c1c"
AT = Situation(
    name="orders",
    place=Site.of(RUN, "Certifier", "https://docs.example.com/certifier/"),
    run=RUN,
    bucket="certifier-records",
    record="records/orders/20261130T131100Z-5c1c",
    host="orders.db.example.com:5432",
    endpoint="orders-source",
    now=NOW,
    trusts=("CN=Orders CA 5",),
    next_due=NOW + timedelta(minutes=10),
)
STOPPED = StoppedTask(
    arn="arn:aws:dms:eu-west-1:111122223333:task:ABC",
    identifier="orders-to-warehouse",
    since=NOW - timedelta(minutes=17),
    status="failed",
    said='Replication slot "orders_slot" is active for PID 12345',
)


def situation(**changes: Any) -> Situation:
    """Return the same with some things different."""
    return AT.model_copy(update=changes)
