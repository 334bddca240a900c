// SPDX-License-Identifier: GPL-2.0-only
import React, {useState} from 'react';
import {Link} from 'react-router-dom';
import {Cost} from '../entities';
import {useListing} from '../listing';
import {Frame} from '../parts/Frame';
import {BuilderLink} from '../parts/links';
import {Name} from '../parts/Name';
import {Column, Table} from '../parts/Table';
import {span} from '../text';

const DAYS: [number, string][] = [
  [1, 'day'],
  [7, '7 days'],
  [30, '30 days'],
];

type Figure = 'waits' | 'holds';
type Length = 'waited' | 'wait_median' | 'wait_p95' | 'held' | 'hold_median' | 'hold_p95';

function figure(name: string, key: Figure): Column<Cost> {
  return {name, key, figure: true, cell: row => row[key].toLocaleString()};
}

/** How long; nothing if there was none. */
function length(name: string, key: Length, count: Figure): Column<Cost> {
  return {name, key, figure: true, cell: row => (row[count] === 0 ? null : span(row[key]))};
}

/** What was waited for longest. */
export function CostsView() {
  const [days, setDays] = useState(7);
  const costs = useListing<Cost>(`lockcosts/${days}`, 'costs', {order: '-waited', sought: 'lock'});
  return (
    <Frame
      title={
        <>
          What locks have cost in the last{' '}
          <select
            aria-label="How many days"
            value={days}
            onChange={event => setDays(Number(event.target.value))}
          >
            {DAYS.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </>
      }
      trail={[['Waiting costs', '/locks/costs']]}
    >
      <Table<Cost>
        caption="what each lock has cost each builder"
        listing={costs}
        id={row => `${row.lockid} ${row.builderid}`}
        nothing="Nothing was waited for or held."
        seek="Search locks"
        columns={[
          {
            name: 'Lock',
            key: 'lock',
            cell: row => (
              <Link to={`/locks/${row.lockid}`}>
                <Name text={row.lock} />
              </Link>
            ),
          },
          {
            name: 'Builder',
            key: 'builder',
            cell: row =>
              row.builder === null ? null : <BuilderLink id={row.builderid} name={row.builder} />,
          },
          length('Waited', 'waited', 'waits'),
          figure('Waits', 'waits'),
          length('Median wait', 'wait_median', 'waits'),
          length('95 % wait', 'wait_p95', 'waits'),
          length('Held', 'held', 'holds'),
          figure('Holds', 'holds'),
          length('Median hold', 'hold_median', 'holds'),
          length('95 % hold', 'hold_p95', 'holds'),
        ]}
      />
    </Frame>
  );
}
