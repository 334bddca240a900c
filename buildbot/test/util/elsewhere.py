# SPDX-License-Identifier: GPL-2.0-only
"""New: what another master does with a request, of which this one may hear or not."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import SUCCESS
from buildbot.test.util.pace import PacedCase


def claim_elsewhere(case: PacedCase, brid: int, is_told: bool = True) -> None:
    """Let another master claim a request.

    :param is_told: whether this master hears of it.
    """
    db = case.master.db
    other = case.at_once(db.masters.findMasterId('other:elsewhere'))

    def claim(conn: Any) -> None:
        row = {'brid': brid, 'masterid': other, 'claimed_at': int(case.reactor.seconds())}
        conn.execute(db.model.buildrequest_claims.insert(), [row])
        conn.commit()

    case.at_once(db.pool.do(claim))
    if is_told:
        tell_from_elsewhere(case, brid, 'claimed')


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
