// SPDX-License-Identifier: GPL-2.0-only
import {act, screen, waitFor, within} from '@testing-library/react';
import React from 'react';
import {describe, expect, it, vi} from 'vitest';
import {COPY, HOLDER, LOCK, Master, visit, WAITER} from '../testing/master';
import {LockView} from './LockView';

function lab() {
  return new Master()
    .knows('locks/3', [LOCK])
    .knows('locks/3/copies', [COPY])
    .knows('locks/3/holders', [HOLDER])
    .knows('locks/3/waiters', [WAITER])
    .knows('locks/3/uses', [])
    .knows('locks/3/timeline/6', [
      {at: 980_000, used: 0, waiting: 0, capacity: 1},
      {at: 990_000, used: 1, waiting: 3, capacity: 1},
      {at: 1_000_000, used: 1, waiting: 2, capacity: 1},
    ]);
}

function show(master: Master) {
  return visit(master, '/locks/3', '/locks/:lockid', <LockView />);
}

const links = (region: HTMLElement) =>
  within(region)
    .getAllByRole('link')
    .map(link => [link.textContent, link.getAttribute('href')]);

describe('LockView', () => {
  it('names who holds, with ways to the step, copy, builder and worker', async () => {
    show(lab());
    await screen.findByText('firmware #12 / test/flash');
    expect(links(screen.getByRole('region', {name: 'Held by 1'}))).toEqual([
      ['firmware #12 / test/flash', '/builders/5/builds/12#bb-step-4'],
      ['jtag[board-1]', '/locks/3/copies/7'],
      ['firmware', '/builders/5'],
      ['board-1', '/workers/11'],
    ]);
  });

  it('names who waits, in order, with a way to its reasons', async () => {
    const master = lab().knows('locks/3/waiters', [
      WAITER,
      {...WAITER, waiterid: 3, place: 2, text: 'firmware #13', number: 13, buildid: 81},
    ]);
    show(master);
    await screen.findByText('firmware #13');
    const region = screen.getByRole('region', {name: 'Waiting 2'});
    const rows = within(region).getAllByRole('rowheader').map(row => row.textContent);
    expect(rows).toEqual(['1. nightly request 91', '2. firmware #13']);
    expect(links(region).filter(([text]) => text === 'Why?')).toEqual([
      ['Why?', '/why/request/91'],
      ['Why?', '/why/build/81'],
    ]);
    expect(screen.getByRole('link', {name: 'Why does firmware #13 wait?'})).toBeTruthy();
  });

  it('asks for those who hold and wait in the order that the master has them in', async () => {
    const master = lab();
    show(master);
    await screen.findByText('nightly request 91');
    expect(master.asked.find(([path]) => path === 'locks/3/waiters')![1]).toEqual({
      limit: 50,
      offset: 0,
    });
  });

  it('shows an owner that has no page of its own', async () => {
    const nobody = {
      ...HOLDER,
      text: 'somebody',
      builder: null,
      builderid: null,
      buildrequestid: null,
      number: null,
      worker: null,
      since_at: null,
    };
    show(lab().knows('locks/3/holders', [nobody]));
    await screen.findByText('somebody');
    expect(links(screen.getByRole('region', {name: 'Held by 1'}))).toEqual([
      ['jtag[board-1]', '/locks/3/copies/7'],
    ]);
  });

  it('takes a copy from the event that tells of it, and asks only who holds and waits', async () => {
    const master = lab();
    show(master);
    const copies = await screen.findByRole('region', {name: 'Copies'});
    await within(copies).findByText('1 of 1');
    const before = master.asked.length;
    master.knows('locks/3/holders', [{...HOLDER, text: 'nightly #1'}]);
    master.tell('locks/3/copies/7/released', {...COPY, used: 0});
    await within(copies).findByText('0 of 1');
    await screen.findByText('nightly #1');
    expect(master.asked.slice(before).map(([path]) => path).sort()).toEqual([
      'locks/3', 'locks/3/holders', 'locks/3/waiters',
    ]);
  });

  it('asks for the copies anew when it hears of one that it does not show', async () => {
    const master = lab();
    show(master);
    await screen.findByText('firmware #12 / test/flash');
    const second = {...COPY, copyid: 8, name: 'jtag[board-2]'};
    master.knows('locks/3/copies', [COPY, second]);
    master.tell('locks/3/copies/8/claimed', second);
    await screen.findByText('jtag[board-2]');
  });

  it('asks for the past again after an event, seldom', async () => {
    vi.useFakeTimers();
    const master = lab();
    show(master);
    const after = (seconds: number) => act(() => vi.advanceTimersByTimeAsync(seconds * 1000));
    const past = () =>
      ['locks/3/uses', 'locks/3/timeline/6'].map(
        wanted => master.paths().filter(path => path === wanted).length,
      );
    await after(2);
    master.tell('locks/3/copies/7/released', COPY);
    await after(2);
    expect(past()).toEqual([1, 1]);
    await after(3);
    expect(past()).toEqual([2, 1]);
    await after(25);
    expect(past()).toEqual([2, 2]);
    vi.useRealTimers();
  });

  it('draws the last hours, and says them to who cannot see', async () => {
    show(lab());
    await screen.findByRole('img', {name: 'In use: at most 1 of 1, 1 at the end'});
    await screen.findByRole('img', {name: 'Waiting: at most 3 of 3, 2 at the end'});
  });

  it('marks copies that are out of use', async () => {
    const second = {...COPY, copyid: 8, name: 'jtag[board-2]', quarantined_at: 999_000};
    show(lab().knows('locks/3/copies', [COPY, second]));
    await screen.findByText('jtag[board-2]');
    const rows = within(screen.getByRole('region', {name: 'Copies'})).getAllByRole('rowheader');
    expect(rows.map(row => row.textContent)).toEqual(['jtag[board-1]', 'jtag[board-2] quarantine']);
  });

  it('says why the only copy of a lock is out of use', async () => {
    const copy = {...COPY, quarantined_at: 999_940, quarantined_by: 'bob', quarantine_reason: 'it burns'};
    const {container} = show(
      lab().knows('locks/3', [{...LOCK, kind: 'master'}]).knows('locks/3/copies', [copy]),
    );
    await screen.findByText('it burns');
    expect(container.querySelector('.bb-locks-quarantine')!.textContent).toBe(
      'In quarantine for 1 min, by bob: it burns',
    );
  });

  it('does not list the copies of a lock that has only one for all', async () => {
    show(lab().knows('locks/3', [{...LOCK, kind: 'master'}]));
    await screen.findByText('firmware #12 / test/flash');
    expect(screen.queryByRole('region', {name: 'Copies'})).toBeNull();
  });

  it('lists the resources of a pool with their labels, and who has which', async () => {
    const of = {scope: 'resource', worker: null, workerid: null, exclusive: false, waiting: 0, oldest_wait_at: null};
    const board = {...COPY, ...of, name: 'boards[board-1]', key: 'board-1', labels: ['hw-c', 'stm32']};
    const resources = [{name: 'board-1', labels: ['hw-c', 'stm32']}];
    const holder = {...HOLDER, copy: 'boards', mode: 'counting', resources};
    const {container} = show(
      lab()
        .knows('locks/3', [{...LOCK, name: 'boards', kind: 'pool'}])
        .knows('locks/3/copies', [board])
        .knows('locks/3/holders', [holder]),
    );
    await screen.findByText('boards[board-1]');
    const rows = within(screen.getByRole('region', {name: 'Resources'})).getAllByRole('row');
    expect(rows[1].textContent).toContain('resource board-1 hw-c stm32');
    expect(container.querySelector('.bb-locks-sum')!.textContent).toContain('a pool of resources · 1 of 1');
    const held = within(screen.getByRole('table', {name: 'who holds it'})).getAllByRole('row');
    expect(held[1].textContent).toContain('board-1');
  });

  it('says that there is no such lock', async () => {
    show(new Master());
    await waitFor(() =>
      expect(screen.getAllByRole('alert')[0].textContent).toBe(
        'The master does not know this, or has no locks at all.',
      ),
    );
  });
});
