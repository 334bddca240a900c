// SPDX-License-Identifier: GPL-2.0-only
import React, {useId} from 'react';
import {Holder, Owner, Waiter} from '../entities';
import {Deed} from '../hand/deed';
import {Deeds} from '../hand/Deeds';
import {deedsOfHolder, deedsOfWaiter} from '../hand/deeds';
import {useHand} from '../hand/Hand';
import {Listing} from '../listing';
import {plural, shown} from '../text';
import {BuilderLink, CopyLink, whyLink, WorkerLink} from './links';
import {Name} from './Name';
import {Column, Table} from './Table';
import {Age, Clock} from './Time';
import {HolderCell, WaiterCell} from './Who';

function takes(owner: Owner): string {
  const names = (owner.resources ?? []).map(resource => shown(resource.name)).join(', ');
  const units = owner.mode === 'exclusive' ? 'all of it' : names || plural(owner.units, 'unit', 'units');
  return owner.nested ? `${units}, shared` : units;
}

function place<T extends Owner>(many: boolean): Column<T>[] {
  return [
    ...(many
      ? [{
          name: 'Copy',
          key: 'copy',
          cell: (row: T) => <CopyLink lockid={row.lockid} copyid={row.copyid} name={row.copy} />,
        }]
      : []),
    {
      name: 'Builder',
      key: 'builder',
      cell: row =>
        row.builder === null ? null : <BuilderLink id={row.builderid} name={row.builder} />,
    },
    {
      name: 'Worker',
      key: 'worker',
      cell: row =>
        row.worker === null ? null : <WorkerLink id={row.workerid} name={row.worker} />,
    },
    {
      name: 'Branch',
      key: 'branch',
      cell: row => (row.branch === null ? null : <Name text={row.branch} most={40} />),
    },
    {name: 'Takes', cell: takes},
  ];
}

function since({since_at}: Owner) {
  return since_at === null ? null : <Age since={since_at} />;
}

/** What can be done to each, if anything can be. */
function acts<T extends Owner>(
  me: string | null,
  deedsOf: (row: T, me: string | null) => Deed[],
): Column<T>[] {
  const cell = (row: T) => {
    const deeds = deedsOf(row, me);
    return deeds.length === 0 ? null : <Deeds deeds={deeds} />;
  };
  return me === null ? [] : [{name: 'Act', cell}];
}

interface Props {
  holders: Listing<Holder>;
  waiters: Listing<Waiter>;
  /** Of several copies: say of which. */
  many: boolean;
}

/** Who holds, and who waits in which order. */
export function Standing({holders, waiters, many}: Props) {
  const held = useId();
  const waits = useId();
  const {me} = useHand();
  return (
    <>
      <section aria-labelledby={held}>
        <h2 id={held}>Held by {holders.known && <Count total={holders.total} />}</h2>
        <Table<Holder>
          caption="who holds it"
          listing={holders}
          id={row => row.holderid}
          nothing="Nobody holds it."
          columns={[
            {name: 'Who', key: 'text', cell: row => <HolderCell holder={row} />},
            ...place<Holder>(many),
            {name: 'Since', key: 'since_at', cell: since},
            ...acts<Holder>(me, deedsOfHolder),
          ]}
        />
      </section>
      <section aria-labelledby={waits}>
        <h2 id={waits}>Waiting {waiters.known && <Count total={waiters.total} />}</h2>
        <Table<Waiter>
          caption="who waits for it"
          listing={waiters}
          id={row => row.waiterid}
          nothing="Nobody waits for it."
          seek="Search those who wait"
          columns={[
            {name: 'Who', key: 'text', cell: row => <WaiterCell waiter={row} />},
            ...place<Waiter>(many),
            {name: 'Priority', key: 'priority', figure: true, cell: row => row.priority},
            {name: 'For', key: 'since_at', cell: since},
            {
              name: 'Likely at',
              key: 'estimate_at',
              cell: row =>
                row.estimate_at == null ? null : (
                  <Clock at={row.estimate_at} from={row.estimate_from} until={row.estimate_until} />
                ),
            },
            {name: 'Reasons', cell: whyLink},
            ...acts<Waiter>(me, deedsOfWaiter),
          ]}
        />
      </section>
    </>
  );
}

function Count({total}: {total: number}) {
  return <span className="bb-locks-count">{total.toLocaleString()}</span>;
}
