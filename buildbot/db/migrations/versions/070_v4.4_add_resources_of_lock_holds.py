# SPDX-License-Identifier: GPL-2.0-only
"""add the resources of holds by hand, where an older revision 069 has not done so

Revision ID: 070
Revises: 069

"""

import sqlalchemy as sa
from alembic import op

revision = '070'
down_revision = '069'


def upgrade() -> None:
    columns = sa.inspect(op.get_bind()).get_columns('lock_holds')
    if not any(column['name'] == 'resources' for column in columns):
        op.add_column('lock_holds', sa.Column('resources', sa.Text, nullable=True))
