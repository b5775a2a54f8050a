"""DynamoDB: what Certifier remembers of each source, and who may write at the moment.

Items, by ``pk`` / ``sk``::

    SPEC#<name>    / SPEC      the source as registered, its version
    SOURCE#<name>  / STATE     due_at, claim, last outcome and findings, what was left where
    UNDO#<name>    / UNDO      how to put the endpoint back
    ENDPOINT#<key> / OWNER     the source that has this endpoint; key: identifier or ARN, lower case
    PAUSE          / <task>    the sources that need this task stopped
    UNUSED         / <digest>  since when nobody uses this DMS certificate
    BREAKER        / STATE     bad ends of the last day; open since
    TIDY           / DAY       the last day that was tidied, and by whom

What a run must not be able to forge lies under partition keys of its own: a role's rights to write
are given by partition (stacks/access.py). SPEC is written by who registers, UNDO by who configures.

The sparse index ``due`` has the constant partition ``due_partition`` and sorts by ``due_at``.

A run writes through one held claim: ``store.hold(name, run)`` answers with ``Held`` or raises, and
``Held`` has every write of a run. What ``Store`` itself writes belongs to no run: registering,
asking for a source, the claim, the breaker's reset, notices sent by a report, tidying.

Every read is consistent (the index alone cannot be), every write that must not race is conditional.
A write may have happened although its answer was lost, so each one may be made again with the same
result: the condition lets in whoever it let in before.
"""

from typing import TYPE_CHECKING

from certifier.aws.store.breaker import BreakerReset
from certifier.aws.store.claims import Claimed, Claims, NotClaimed
from certifier.aws.store.held import Held, Recorded
from certifier.aws.store.notices import NoticesSent
from certifier.aws.store.onhold import OnHolds
from certifier.aws.store.reads import Unfinished
from certifier.aws.store.sources import InUse
from certifier.aws.store.tidy import Tidying
from certifier.aws.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Claimed", "Held", "InUse", "NotClaimed", "Recorded", "Store", "Unfinished"]


class Store(Claims, BreakerReset, NoticesSent, OnHolds, Tidying):
    """The table. See the module for its items."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__(Table(client, table))
