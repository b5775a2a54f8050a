"""``certifier schema``: the JSON Schema of a source, or of the events on the bus."""

import argparse
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from certifier.run.announcement import event_schema
from certifier.source import json_schema

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = MappingProxyType(
    {"source": json_schema, "event": event_schema}
)


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a source, or of an event",
        description="Print the JSON Schema of a source, for editors and for checks in a pipeline; "
        "or that of the events on the bus, for whoever reads them.",
        epilog="exit status: 0; 2 wrong usage",
    )
    parser.add_argument(
        "of", nargs="?", choices=[*SCHEMAS], default="source", help="of what (default: source)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(SCHEMAS[args.of](), indent=2, ensure_ascii=False))
    return 0
