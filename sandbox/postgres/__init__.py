"""A real PostgreSQL server for tests, the demo and the scenarios: any major, any TLS, any hba file.

    with Postgres.start(major=17, tls=leaf, hba=Access.TLS_ONLY) as server:
        server.host, server.port, server.user, server.password
        server.use_tls(next_leaf)          # replaced, reloaded, and seen to be served

The binaries are npm packages (`node_modules/postgres-17-linux-x64`). They are copied once per
machine into a folder that any user can enter, with the links that their skipped install script
would have made, because PostgreSQL does not run as root and a clone may lie where nobody else can
look. A cluster is initialised once per major and copied for each server, so a server is up in a
fraction of a second. Servers end with the `with` block, at the end of the process, or, when the
process was killed, with the next process that starts a server on this machine.
"""

from sandbox.postgres.binaries import MAJORS, available_majors
from sandbox.postgres.configuration import Access, TlsFiles, TlsMaterial
from sandbox.postgres.errors import PostgresError
from sandbox.postgres.ground import end_orphans, libpq_file
from sandbox.postgres.server import Postgres, Stop

__all__ = [
    "MAJORS",
    "Access",
    "Postgres",
    "PostgresError",
    "Stop",
    "TlsFiles",
    "TlsMaterial",
    "available_majors",
    "end_orphans",
    "libpq_file",
]
