// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Link} from 'react-router-dom';
import {Lock} from '../entities';
import {useEvents} from '../events';
import {useListing} from '../listing';
import {Frame} from '../parts/Frame';
import {Name} from '../parts/Name';
import {Table} from '../parts/Table';
import {Tag} from '../parts/Tag';
import {USAGE} from '../parts/usage';
import {plural} from '../text';

export const KINDS = {
  master: 'one for all',
  worker: 'one per worker',
  branch: 'one per branch',
  pool: 'a pool of resources',
};

/** All locks. */
export function LocksView() {
  const locks = useListing<Lock>('locks', 'locks', {order: '-waiting', sought: 'name'});
  // the sums of a lock are the master's to make; what is asked for is the page that is seen
  useEvents(['locks/*/copies/*/*'], copy => {
    if (locks.rows.some(lock => lock.lockid === copy.lockid)) {
      locks.refresh();
    }
  });
  return (
    <Frame title="Locks">
      <Table<Lock>
        caption="all locks"
        listing={locks}
        id={row => row.lockid}
        nothing="No lock is used, or none has this name."
        seek="Search locks"
        columns={[
          {
            name: 'Lock',
            key: 'name',
            cell: row => (
              <>
                <Link to={`/locks/${row.lockid}`}>
                  <Name text={row.name} />
                </Link>
                {row.quarantined > 0 && (
                  <>
                    {' '}
                    <Tag alarming>{plural(row.quarantined, 'copy', 'copies')} in quarantine</Tag>
                  </>
                )}
              </>
            ),
          },
          {name: 'Kind', key: 'kind', cell: row => KINDS[row.kind] ?? row.kind},
          {
            name: 'Copies',
            key: 'copies',
            figure: true,
            cell: row => row.copies.toLocaleString(),
          },
          ...USAGE,
        ]}
      />
    </Frame>
  );
}
