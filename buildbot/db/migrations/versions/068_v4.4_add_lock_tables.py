# SPDX-License-Identifier: GPL-2.0-only
"""add locks, lock_copies and lock_uses tables

Revision ID: 068
Revises: 067

"""

import sqlalchemy as sa
from alembic import op

revision = '068'
down_revision = '067'


def upgrade() -> None:
    op.create_table(
        'locks',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('name_hash', sa.String(40), nullable=False),
        sa.Column('name', sa.Text, nullable=False),
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_table(
        'lock_copies',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column(
            'lockid', sa.Integer, sa.ForeignKey('locks.id', ondelete='CASCADE'), nullable=False
        ),
        sa.Column('name_hash', sa.String(40), nullable=False),
        sa.Column('name', sa.Text, nullable=False),
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_table(
        'lock_uses',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column(
            'copyid',
            sa.Integer,
            sa.ForeignKey('lock_copies.id', ondelete='CASCADE'),
            nullable=False,
        ),
        sa.Column('masterid', sa.Integer, nullable=False),
        sa.Column('kind', sa.String(10), nullable=False),
        sa.Column('text', sa.Text, nullable=False),
        sa.Column('builderid', sa.Integer, nullable=True),
        sa.Column('buildrequestid', sa.Integer, nullable=True),
        sa.Column('buildid', sa.Integer, nullable=True),
        sa.Column('stepid', sa.Integer, nullable=True),
        sa.Column('path', sa.Text, nullable=True),
        sa.Column('worker', sa.Text, nullable=True),
        sa.Column('branch', sa.Text, nullable=True),
        sa.Column('mode', sa.String(10), nullable=False),
        sa.Column('units', sa.Integer, nullable=False),
        sa.Column('nested', sa.SmallInteger, nullable=False),
        sa.Column('waiting_since', sa.Float(53), nullable=True),
        sa.Column('held_since', sa.Float(53), nullable=True),
        sa.Column('until', sa.Float(53), nullable=False),
        sa.Column('result', sa.String(10), nullable=False),
        mysql_DEFAULT_CHARSET='utf8',
    )
    op.create_index('lock_name_hash', 'locks', ['name_hash'], unique=True)
    op.create_index(
        'lock_copies_lockid_name_hash', 'lock_copies', ['lockid', 'name_hash'], unique=True
    )
    op.create_index('lock_uses_copyid', 'lock_uses', ['copyid'])
    op.create_index('lock_uses_until', 'lock_uses', ['until'])


def downgrade() -> None:
    op.drop_table('lock_uses')
    op.drop_table('lock_copies')
    op.drop_table('locks')
