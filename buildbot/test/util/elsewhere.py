# SPDX-License-Identifier: GPL-2.0-only
"""New: what another master does with a request, of which this one may hear or not."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from buildbot.process.results import SUCCESS
from buildbot.test.util.pace import PacedCase


def claim_elsewhere(case: PacedCase, brid: int, is_told: bool = True) -> bool:
    """Let another master claim a request.

    :param is_told: whether this master hears of it.
    :returns: whether it could; it is too late if this master has claimed the request by then.
    """
    db = case.master.db
    other = case.at_once(db.masters.findMasterId('other:elsewhere'))

    def claim(conn: Any) -> bool:
        row = {'brid': brid, 'masterid': other, 'claimed_at': int(case.reactor.seconds())}
        try:
            conn.execute(db.model.buildrequest_claims.insert(), [row])
        except sa.exc.IntegrityError:
            conn.rollback()
            return False
        conn.commit()
        return True

    is_claimed: bool = case.at_once(db.pool.do(claim))
    if is_claimed and is_told:
        tell_from_elsewhere(case, brid, 'claimed')
    return is_claimed


def complete_elsewhere(case: PacedCase, brid: int, gives_back: bool = False) -> None:
    """Let another master complete a request that it has claimed.

    :param gives_back: whether it claims it no longer instead.
    """
    db = case.master.db

    def end(conn: Any) -> None:
        if gives_back:
            claims = db.model.buildrequest_claims
            conn.execute(claims.delete().where(claims.c.brid == brid))
        else:
            table = db.model.buildrequests
            now = int(case.reactor.seconds())
            words = {'complete': 1, 'results': SUCCESS, 'complete_at': now}
            conn.execute(table.update().where(table.c.id == brid).values(**words))
        conn.commit()

    case.at_once(db.pool.do(end))
    row = tell_from_elsewhere(case, brid, 'unclaimed' if gives_back else 'complete')
    if not gives_back:
        case.at_once(case.master.data.updates.maybeBuildsetComplete(row['buildsetid']))


def tell_from_elsewhere(case: PacedCase, brid: int, event: str) -> dict[str, Any]:
    """Let the master hear what another one says of a request, and return the request's row."""
    row: dict[str, Any] = case.at_once(case.master.data.get(('buildrequests', brid)))
    case.master.mq.produce(('buildrequests', str(brid), event), row)
    return row
