// SPDX-License-Identifier: GPL-2.0-only
import {fireEvent, screen, waitFor} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {Master, visit} from '../testing/master';
import {CostsView} from './CostsView';

const COST = {
  lockid: 3,
  lock: 'jtag',
  builderid: 5,
  builder: 'firmware',
  waits: 40,
  waited: 7260,
  wait_median: 60,
  wait_p95: 600,
  holds: 41,
  held: 3600,
  hold_median: 30,
  hold_p95: 90,
};

describe('CostsView', () => {
  it('says nothing of how long nobody waited, and of whom it does not know', async () => {
    const free = {...COST, waits: 0, waited: 0, wait_median: 0, wait_p95: 0};
    const master = new Master().knows('lockcosts/7', [{...free, builderid: null, builder: null}]);
    visit(master, '/locks/costs', '/locks/costs', <CostsView />);
    await screen.findByText('jtag');
    expect(screen.getAllByRole('row')[1].textContent).toBe('jtag––0––1 h4130 s1 min 30 s');
  });

  it('tells what was waited for longest, in the days that are asked for', async () => {
    const master = new Master().knows('lockcosts/7', [COST]).knows('lockcosts/30', []);
    visit(master, '/locks/costs', '/locks/costs', <CostsView />);
    await screen.findByText('jtag');
    expect(screen.getAllByRole('row')[1].textContent).toBe(
      'jtagfirmware2 h 1 min401 min10 min1 h4130 s1 min 30 s',
    );
    expect(master.asked[0][1].order).toBe('-waited');
    fireEvent.change(screen.getByRole('combobox', {name: 'How many days'}), {
      target: {value: '30'},
    });
    await screen.findByText('Nothing was waited for or held.');
    await waitFor(() => expect(master.paths()).toEqual(['lockcosts/7', 'lockcosts/30']));
  });
});
