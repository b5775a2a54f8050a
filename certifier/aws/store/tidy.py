"""Tidying: once a day, and since when nobody uses a DMS certificate."""

from datetime import datetime

from certifier.aws.store.items import TIDY, since_of, stamp, unused_key
from certifier.aws.store.reads import Reads


class Tidying(Reads):
    """What the tidying of DMS certificates remembers from day to day."""

    def first_of_day(self, now: datetime, execution: str) -> bool:
        """Return whether ``execution`` is the one that tidies today (UTC)."""
        return self._table.wrote(
            self._table.put_op(
                {**TIDY, "day": stamp(now)[:10], "execution": execution},
                "attribute_not_exists(pk) OR #d <> :today OR execution = :mine",
                {":today": stamp(now)[:10], ":mine": execution},
                {"#d": "day"},
            )
        )

    def note_unused(self, digest: str, now: datetime) -> datetime:
        """Note that nobody uses a DMS certificate, and return since when that is so.

        From now on, where what lies there does not say since when.
        """
        item = self._table.updated(
            self._table.change_op(
                unused_key(digest),
                "SET since = if_not_exists(since, :now)",
                values={":now": stamp(now)},
            )
        )
        since = since_of(item)
        if since is None:
            self._table.write(self._table.put_op({**unused_key(digest), "since": stamp(now)}))
        return since or now

    def forget_unused(self, digest: str) -> None:
        """Note that a DMS certificate is used again, or gone."""
        self._table.write(self._table.delete_op(unused_key(digest)))

    def take_unused(self, digest: str, since: datetime) -> bool:
        """Claim the deletion of a certificate: ``False`` when a run uses it again since."""
        return self._table.wrote(
            self._table.delete_op(unused_key(digest), "since = :since", {":since": stamp(since)})
        )

    def unused(self) -> dict[str, datetime | None]:
        """Return since when DMS certificates are unused, by digest; ``None``: nobody knows."""
        return {item["sk"]: since_of(item) for item in self._table.partition("UNUSED")}
