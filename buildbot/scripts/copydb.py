# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot copy-db`` also copies the tables for locks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet import defer

from buildbot.db.model import OWN_TABLES
from buildbot.db.model import VERSION_TABLE
from buildbot.db.model import Model
from buildbot_overlay import release

upstream = release(__name__)

#: our tables, each after those that it refers to
TABLES = OWN_TABLES[::-1]

# Buildbot gives up if there is a table that it does not copy, so it gets a model without ours.
model = SimpleNamespace(
    Model=SimpleNamespace(
        buildsets=Model.buildsets,
        metadata=SimpleNamespace(
            tables={
                name: table
                for name, table in Model.metadata.tables.items()
                if name not in (*TABLES, VERSION_TABLE)
            }
        ),
    )
)


@defer.inlineCallbacks
def _copy_database_with_db(
    src_db: Any, dst_db: Any, ignore_fk_error_rows: Any, print_log: Any
) -> Any:
    for name in TABLES:
        yield upstream._copy_single_table(
            Model.metadata, src_db, dst_db, name, [], [], ignore_fk_error_rows, print_log
        )
    yield upstream._copy_database_with_db(src_db, dst_db, ignore_fk_error_rows, print_log)
