// SPDX-License-Identifier: GPL-2.0-only
import {act, screen} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {Master, visit} from '../testing/master';
import {Actions} from './Actions';

const ACTION = {
  actionid: 1,
  lock: 'jtag',
  copy: 'jtag[board-1]',
  at: 999_000,
  who: 'alice',
  action: 'hold',
  reason: 'on my desk',
  text: 'alice holds all of it until noon',
};

describe('Actions', () => {
  function show(master: Master) {
    return visit(master, '/', '/', <Actions path="locks/3" lock="jtag" many />);
  }

  it('asks for the latest, one page at a time', async () => {
    const master = new Master().knows('locks/3/actions', Array(12).fill(ACTION));
    show(master);
    await screen.findByText('1–10 of 12');
    expect(master.asked).toEqual([['locks/3/actions', {limit: 10, offset: 0, order: '-at'}]]);
  });

  it('asks again when something is done to this lock', async () => {
    const master = new Master().knows('locks/3/actions', [ACTION]);
    show(master);
    await screen.findByText('alice holds all of it until noon');
    expect(screen.getByRole('row', {name: /on my desk/}).textContent).toContain('alice');
    master.knows('locks/3/actions', [{...ACTION, text: 'It is overdue.', who: null, reason: ''}]);
    act(() => master.tell('lockactions/2/overdue', {...ACTION, actionid: 2}));
    await screen.findByText('It is overdue.');
    expect(screen.queryByText('alice')).toBeNull();
  });

  it('says that there is nothing, where the master keeps nothing', async () => {
    show(new Master());
    await screen.findByText('Nobody has done anything, or the record is no longer kept.');
  });
});
