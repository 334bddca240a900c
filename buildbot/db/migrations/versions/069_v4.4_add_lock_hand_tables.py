# SPDX-License-Identifier: GPL-2.0-only
"""add lock_holds, lock_quarantines and lock_actions tables

Revision ID: 069
Revises: 068

"""

import sqlalchemy as sa
from alembic import op

revision = '069'
down_revision = '068'


def upgrade() -> None:
    op.create_table(
        'lock_holds',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('lock', sa.Text, nullable=False),
        sa.Column('copy_of', sa.Text, nullable=True),
        sa.Column('codebase', sa.Text, nullable=False),
        sa.Column('person', sa.Text, nullable=False),
        sa.Column('reason', sa.Text, nullable=False),
        sa.Column('mode', sa.String(10), nullable=False),
        sa.Column('units', sa.Integer, nullable=False),
        sa.Column('asked_at', sa.Float(53), nullable=False),
        sa.Column('held_since', sa.Float(53), nullable=True),
        sa.Column('until', sa.Float(53), nullable=False),
        sa.Column('told', sa.String(10), nullable=False),
        sa.Column('resources', sa.Text, nullable=True),
        sqlite_autoincrement=True,
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_table(
        'lock_quarantines',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('lock', sa.Text, nullable=False),
        sa.Column('copy_of', sa.Text, nullable=True),
        sa.Column('codebase', sa.Text, nullable=False),
        sa.Column('who', sa.Text, nullable=False),
        sa.Column('reason', sa.Text, nullable=False),
        sa.Column('since', sa.Float(53), nullable=False),
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_table(
        'lock_actions',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('lock_hash', sa.String(40), nullable=False),
        sa.Column('lock', sa.Text, nullable=False),
        sa.Column('copy', sa.Text, nullable=False),
        sa.Column('at', sa.Float(53), nullable=False),
        sa.Column('action', sa.String(20), nullable=False),
        sa.Column('who', sa.Text, nullable=True),
        sa.Column('reason', sa.Text, nullable=False),
        sa.Column('text', sa.Text, nullable=False),
        sa.Column('person', sa.Text, nullable=True),
        sa.Column('until', sa.Float(53), nullable=True),
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_index('lock_actions_lock_hash', 'lock_actions', ['lock_hash'])
    op.create_index('lock_actions_at', 'lock_actions', ['at'])


def downgrade() -> None:
    op.drop_table('lock_actions')
    op.drop_table('lock_quarantines')
    op.drop_table('lock_holds')
