# SPDX-License-Identifier: GPL-2.0-only
"""Tables for locks, their copies, who waited for them and held them, and what people did."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from twisted.internet import defer
from twisted.python import log
from twisted.python import util

from buildbot.db.texts import KeptText
from buildbot.util import sautils
from buildbot_overlay import release

upstream = release(__name__)

#: says which of our revisions a database has. Buildbot's own table of that kind is left alone, so
#: Buildbot can use the database with or without our tables. For the same reason none of our rows
#: refers to one of Buildbot's, which Buildbot must be able to delete.
VERSION_TABLE = 'alembic_version_locks'


#: our tables, each before those that it refers to
OWN_TABLES = (
    *('lock_uses', 'lock_copies', 'locks'),
    *('lock_holds', 'lock_quarantines', 'lock_actions'),
)


class Model(upstream.Model):
    """The tables of the database. It knows nothing of their rows."""

    # The id of a lock is found by its name, like that of a builder.
    locks = sautils.Table(
        'locks',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('name_hash', sa.String(40), nullable=False),
        sa.Column('name', KeptText, nullable=False),
        sa.Index('lock_name_hash', 'name_hash', unique=True),
    )

    # What can be held: one for the master, for each worker, or for each branch.
    lock_copies = sautils.Table(
        'lock_copies',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column(
            'lockid', sa.Integer, sa.ForeignKey('locks.id', ondelete='CASCADE'), nullable=False
        ),
        sa.Column('name_hash', sa.String(40), nullable=False),
        sa.Column('name', KeptText, nullable=False),
        sa.Index('lock_copies_lockid_name_hash', 'lockid', 'name_hash', unique=True),
    )

    # A wait for a copy, and the holding that resulted. Times are in seconds.
    lock_uses = sautils.Table(
        'lock_uses',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column(
            'copyid',
            sa.Integer,
            sa.ForeignKey('lock_copies.id', ondelete='CASCADE'),
            nullable=False,
        ),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(10), nullable=False),
        sa.Column('text', KeptText, nullable=False),
        sa.Column('builderid', sa.Integer, nullable=True),
        sa.Column('buildrequestid', sa.Integer, nullable=True),
        sa.Column('buildid', sa.Integer, nullable=True),
        sa.Column('stepid', sa.Integer, nullable=True),
        sa.Column('path', KeptText, nullable=True),
        sa.Column('worker', KeptText, nullable=True),
        sa.Column('branch', KeptText, nullable=True),
        sa.Column('mode', sa.String(10), nullable=False),
        sa.Column('units', sa.Integer, nullable=False),
        sa.Column('nested', sa.SmallInteger, nullable=False),
        sa.Column('waiting_since', sa.Float(53), nullable=True),
        sa.Column('held_since', sa.Float(53), nullable=True),
        sa.Column('until', sa.Float(53), nullable=False),
        sa.Column('result', sa.String(10), nullable=False),
        sa.Index('lock_uses_copyid', 'copyid'),
        sa.Index('lock_uses_until', 'until'),
    )

    # What people hold by hand now, or wait for. A copy is named, since nobody may have used it yet.
    # These names find copies and people again, so they are kept unchanged.
    lock_holds = sautils.Table(
        'lock_holds',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('lock', sa.Text, nullable=False),
        sa.Column('copy_of', sa.Text, nullable=True),
        sa.Column('codebase', sa.Text, nullable=False),
        sa.Column('person', sa.Text, nullable=False),
        sa.Column('reason', KeptText, nullable=False),
        sa.Column('mode', sa.String(10), nullable=False),
        sa.Column('units', sa.Integer, nullable=False),
        sa.Column('asked_at', sa.Float(53), nullable=False),
        sa.Column('held_since', sa.Float(53), nullable=True),
        sa.Column('until', sa.Float(53), nullable=False),
        sa.Column('told', sa.String(10), nullable=False),
        # the names of the resources that are held of a pool, as JSON
        sa.Column('resources', sa.Text, nullable=True),
        # the id of a hold that has ended is never used again
        sqlite_autoincrement=True,
    )

    # Copies that are out of use.
    lock_quarantines = sautils.Table(
        'lock_quarantines',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('lock', sa.Text, nullable=False),
        sa.Column('copy_of', sa.Text, nullable=True),
        sa.Column('codebase', sa.Text, nullable=False),
        sa.Column('who', KeptText, nullable=False),
        sa.Column('reason', KeptText, nullable=False),
        sa.Column('since', sa.Float(53), nullable=False),
    )

    # What people did with copies of locks, and what came of it.
    lock_actions = sautils.Table(
        'lock_actions',
        upstream.Model.metadata,
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('lock_hash', sa.String(40), nullable=False),
        sa.Column('lock', KeptText, nullable=False),
        sa.Column('copy', KeptText, nullable=False),
        sa.Column('at', sa.Float(53), nullable=False),
        sa.Column('action', sa.String(20), nullable=False),
        sa.Column('who', KeptText, nullable=True),
        sa.Column('reason', KeptText, nullable=False),
        sa.Column('text', KeptText, nullable=False),
        sa.Column('person', KeptText, nullable=True),
        sa.Column('until', sa.Float(53), nullable=True),
        sa.Index('lock_actions_lock_hash', 'lock_hash'),
        sa.Index('lock_actions_at', 'at'),
    )

    alembic_version_locks = sautils.Table(
        VERSION_TABLE,
        upstream.Model.metadata,
        sa.Column('version_num', sa.String(32), primary_key=True),
    )

    @property
    def _own_scripts(self) -> ScriptDirectory:
        """Buildbot's revisions, followed by ours."""
        theirs = self.alembic_get_scripts()
        own = util.sibpath(__spec__.origin, 'migrations/versions')  # __file__ is Buildbot's
        return ScriptDirectory(theirs.dir, version_locations=[theirs.versions, own])

    @defer.inlineCallbacks
    def upgrade(self) -> Any:
        yield super().upgrade()
        yield self.upgrade_own()

    def upgrade_own(self) -> defer.Deferred[None]:
        """Make our tables, or bring them up to date.

        The database must have Buildbot's newest revision.
        """

        def upgrade(conn: Any) -> None:
            scripts = self._own_scripts
            newest = scripts.get_current_head()

            def steps(revision: Any, context: Any) -> Any:
                of_release = self.alembic_get_scripts().get_current_head()
                return scripts._upgrade_revs(newest, revision or of_release)

            context = MigrationContext.configure(
                conn, opts={'fn': steps, 'version_table': VERSION_TABLE}
            )
            revision = context.get_current_revision()
            if revision is None and self.table_exists(conn, 'lock_actions'):
                # the database is new, and was made with all tables
                context.stamp(scripts, newest)
                conn.commit()
            elif revision != newest:
                log.msg(f'Upgrading database: tables for locks, {revision} to {newest}')
                try:
                    with Operations.context(context), context.begin_transaction():
                        context.run_migrations()
                except sa.exc.DatabaseError:
                    conn.rollback()
                    if not self.table_exists(conn, 'lock_actions'):
                        raise
                    # another master, which started at the same time, was first

        return self.db.pool.do(upgrade)

    def drop_own(self) -> defer.Deferred[None]:
        """Drop our tables with everything in them, before the fork is uninstalled for good."""

        def drop(conn: Any) -> None:
            for table in (*OWN_TABLES, VERSION_TABLE):
                if self.table_exists(conn, table):
                    conn.execute(sa.text(f'drop table {table}'))
            conn.commit()

        return self.db.pool.do(drop)
