"""What people have been notified of by the report of an execution, after a run has ended."""

from certifier.aws.store.items import plain, source_key
from certifier.aws.store.reads import Reads
from certifier.run.pending import OnceSent


class NoticesSent(Reads):
    """A write that belongs to no claim: it counts only while the run that it is of was the last."""

    def note_sent_of(self, name: str, run: str, sent: OnceSent) -> bool:
        """Remember that people were notified of ``run``. ``False``: a later run was recorded."""
        fields = {key: value for key, value in sent if value is not None}
        gone = [key for key, value in fields.items() if not value]
        if sent.events is not None:
            gone.append("unsent")
        return self._table.wrote(
            self._table.update_op(
                source_key(name, "STATE"),
                set_={key: plain(value) for key, value in fields.items() if value},
                remove=tuple(gone),
                condition="recorded_by = :run",
                values={":run": run},
            )
        )
