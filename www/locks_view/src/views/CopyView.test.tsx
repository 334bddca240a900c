// SPDX-License-Identifier: GPL-2.0-only
import {screen} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {COPY, HOLDER, Master, visit, WAITER} from '../testing/master';
import {CopyView} from './CopyView';

function lab(master = new Master()) {
  return master
    .knows('copies/7', [COPY])
    .knows('copies/7/holders', [HOLDER])
    .knows('copies/7/waiters', [WAITER])
    .knows('copies/7/uses', [
      {
        useid: 1,
        lockid: 3,
        copyid: 7,
        copy: 'jtag[board-1]',
        text: 'firmware #11',
        buildrequestid: 89,
        waiting_since: 999_000,
        held_since: 999_060,
        until: 999_180,
        result: 'released',
      },
      {
        useid: 2,
        lockid: 3,
        copyid: 7,
        copy: 'jtag[board-1]',
        text: 'firmware #10',
        buildrequestid: 88,
        waiting_since: 999_000,
        held_since: null,
        until: 999_030,
        result: 'left',
      },
    ]);
}

function show(master: Master) {
  return visit(master, '/locks/3/copies/7', '/locks/:lockid/copies/:copyid', <CopyView />);
}

describe('CopyView', () => {
  it('says whose copy it is, who holds it, who waits, and who had it', async () => {
    const {container} = show(lab());
    await screen.findByText('firmware #12 / test/flash');
    await screen.findByText('nightly request 91');
    await screen.findByText('firmware #11');
    expect(container.querySelector('.bb-locks-sum')!.textContent).toBe(
      'of worker board-1 · 1 of 1, exclusively · 1 waits, the oldest for 1 min',
    );
    const rows = screen.getAllByRole('row').map(row => row.textContent!);
    expect(rows.find(row => row.startsWith('firmware #11'))).toContain('1 min2 min');
    expect(rows.find(row => row.startsWith('firmware #10'))).toContain('30 s–');
  });

  it('says why it is out of use', async () => {
    const copy = {...COPY, quarantined_at: 999_940, quarantined_by: 'bob', quarantine_reason: 'it burns'};
    const {container} = show(lab().knows('copies/7', [copy]));
    await screen.findByText('it burns');
    expect(container.querySelector('.bb-locks-quarantine')!.textContent).toBe(
      'In quarantine for 1 min, by bob: it burns',
    );
  });

  it('says that it is not in use, and follows when it is again', async () => {
    const master = new Master();
    show(master);
    await screen.findByText('Nobody holds this copy, and nobody waits for it.');
    await screen.findByText('Nobody had it before, or the record is no longer kept.');
    expect(screen.queryByRole('alert')).toBeNull();
    lab(master);
    master.tell('locks/3/copies/7/claimed', COPY);
    await screen.findByText('firmware #12 / test/flash');
  });

  it('asks anew for a resource when something happens to its pool', async () => {
    const board = {...COPY, scope: 'resource', key: 'board-1', exclusive: false};
    const master = lab().knows('copies/7', [board]);
    show(master);
    await screen.findByText('1 of 1');
    lab(master).knows('copies/7', [{...board, used: 0}]);
    master.tell('locks/3/copies/6/released', {...COPY, copyid: 6, used: 9});
    await screen.findByText('0 of 1');
  });

  it('asks anew for a resource whose pool changed before it was known', async () => {
    const board = {...COPY, scope: 'resource', key: 'board-1', exclusive: false};
    let answer: (rows: any[]) => void;
    const late: any = () => new Promise(resolve => (answer = resolve));
    const master = lab().knows('copies/7', late);
    show(master);
    await screen.findByText('firmware #11');
    lab(master).knows('copies/7', [{...board, used: 0}]);
    master.tell('locks/3/copies/6/released', {...COPY, copyid: 6, used: 9});
    answer!([board]);
    await screen.findByText('0 of 1');
  });

  it('takes itself from the event that tells of it', async () => {
    const master = lab();
    show(master);
    await screen.findByText('firmware #11');
    const before = master.asked.length;
    master.tell('locks/3/copies/8/released', {...COPY, copyid: 8, used: 9});
    master.tell('locks/3/copies/7/released', {...COPY, used: 0});
    await screen.findByText('0 of 1');
    expect(screen.queryByText('9 of 1')).toBeNull();
    expect(master.paths().slice(before)).not.toContain('copies/7');
  });
});
