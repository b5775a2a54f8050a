"""The records in the bucket, as the commands read them."""

from pydantic import ValidationError

from certifier.aws.s3 import Documents
from certifier.run.kept import shown
from certifier.run.record import Certification


def read_record(documents: Documents, key: str) -> Certification | None:
    """Return a record by its key, without suffix; ``None``: gone, or not one that can be read."""
    body = documents.get(f"{key}.json")
    if body is None:
        return None
    try:
        return shown(Certification, body)
    except ValidationError:
        return None


def keys_of(documents: Documents, name: str) -> list[str]:
    """Return the keys, without suffix, of the records of a source, the newest first."""
    keys = documents.keys(f"records/{name}/")
    return sorted((key[:-5] for key in keys if key.endswith(".json")), reverse=True)
