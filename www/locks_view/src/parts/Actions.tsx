// SPDX-License-Identifier: GPL-2.0-only
import React, {useId} from 'react';
import {Action} from '../entities';
import {useEvents} from '../events';
import {useListing} from '../listing';
import {Name} from './Name';
import {Table} from './Table';
import {Clock} from './Time';

interface Props {
  path: string;
  /** The name of the lock; null if it is not known. */
  lock: string | null;
  /** Of several copies: say of which. */
  many: boolean;
}

/** What people did, the latest first. */
export function Actions({path, lock, many}: Props) {
  const label = useId();
  const actions = useListing<Action>(`${path}/actions`, 'lockactions', {
    order: '-at',
    sought: 'text',
    most: 10,
  });
  useEvents(['lockactions/*/*'], (action: Action) => {
    if (lock === null || action.lock === lock) {
      actions.refresh();
    }
  });
  return (
    <section aria-labelledby={label}>
      <h2 id={label}>What people did</h2>
      <Table<Action>
        caption="what people did"
        listing={actions}
        id={row => row.actionid}
        lenient
        nothing="Nobody has done anything, or the record is no longer kept."
        seek="Search what people did"
        columns={[
          {name: 'What', key: 'text', cell: row => <Name text={row.text} most={160} />},
          ...(many
            ? [{name: 'Copy', key: 'copy', cell: (row: Action) => <Name text={row.copy} />}]
            : []),
          {
            name: 'Who',
            key: 'who',
            cell: row => (row.who === null ? null : <Name text={row.who} most={40} />),
          },
          {
            name: 'Why',
            key: 'reason',
            cell: row => (row.reason === '' ? null : <Name text={row.reason} most={120} />),
          },
          {name: 'When', key: 'at', figure: true, cell: row => <Clock at={row.at} />},
        ]}
      />
    </section>
  );
}
