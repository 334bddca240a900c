// SPDX-License-Identifier: GPL-2.0-only
import {act, fireEvent, screen, waitFor} from '@testing-library/react';
import React from 'react';
import {describe, expect, it, vi} from 'vitest';
import {tick} from '../testing/buildbot-ui';
import {COPY, LOCK, Master, visit} from '../testing/master';
import {LocksView} from './LocksView';

function show(master: Master) {
  return visit(master, '/locks', '/locks', <LocksView />);
}

function many(count: number) {
  return Array.from({length: count}, (_, index) => ({
    ...LOCK,
    lockid: index + 1,
    name: `lock ${index + 1}`,
  }));
}

const cells = () => screen.getAllByRole('row').map(row => row.textContent);

describe('LocksView', () => {
  it('says what is used of each lock, who waits and since when', async () => {
    show(new Master().knows('locks', [LOCK]));
    const link = await screen.findByRole('link', {name: 'jtag'});
    expect(link.getAttribute('href')).toBe('/locks/3');
    expect(cells()[1]).toBe('jtagone per worker11 of 111 min');
    act(() => tick(5));
    await screen.findByText('1 min 5 s');
  });

  it('says of how many copies of a lock are out of use', async () => {
    const locks = [0, 1, 2].map(quarantined => ({...LOCK, lockid: quarantined, quarantined}));
    show(new Master().knows('locks', locks));
    await screen.findByText('1 copy in quarantine');
    screen.getByText('2 copies in quarantine');
    expect(screen.queryByText('0 copies in quarantine')).toBeNull();
  });

  it('says that there is none', async () => {
    show(new Master().knows('locks', []));
    await screen.findByText('No lock is used, or none has this name.');
  });

  it('says that the master knows of no locks', async () => {
    show(new Master());
    await screen.findByText('The master does not know this, or has no locks at all.');
    expect(screen.queryByText('No lock is used, or none has this name.')).toBeNull();
  });

  it('asks for one page only, and for the next when it is turned', async () => {
    const master = new Master().knows('locks', many(120));
    show(master);
    await screen.findByText('1–50 of 120');
    fireEvent.click(screen.getByRole('button', {name: 'Next'}));
    await screen.findByText('51–100 of 120');
    expect(master.asked).toEqual([
      ['locks', {limit: 50, offset: 0, order: '-waiting'}],
      ['locks', {limit: 50, offset: 50, order: '-waiting'}],
    ]);
  });

  it('goes back to what there is if the page that was seen is no more', async () => {
    const master = new Master().knows('locks', many(120));
    show(master);
    await screen.findByText('1–50 of 120');
    fireEvent.click(screen.getByRole('button', {name: 'Last'}));
    await screen.findByText('101–120 of 120');
    master.knows('locks', many(60));
    master.tell('locks/101/copies/7/released', {...COPY, lockid: 101});
    await screen.findByText('51–60 of 60');
  });

  it('sorts by a heading, figures from the largest, and says so', async () => {
    const master = new Master().knows('locks', [LOCK]);
    show(master);
    await screen.findByRole('link', {name: 'jtag'});
    fireEvent.click(screen.getByRole('button', {name: 'Copies'}));
    await waitFor(() => expect(master.asked.at(-1)![1].order).toBe('-copies'));
    fireEvent.click(screen.getByRole('button', {name: 'Copies'}));
    await waitFor(() => expect(master.asked.at(-1)![1].order).toBe('copies'));
    expect(screen.getByRole('columnheader', {name: 'Copies'}).getAttribute('aria-sort')).toBe(
      'ascending',
    );
    fireEvent.click(screen.getByRole('button', {name: 'Copies'}));
    await waitFor(() => expect(master.asked.at(-1)![1].order).toBe('-waiting'));
  });

  it('leaves out those for which nobody waits when sorted by the oldest wait', async () => {
    const master = new Master().knows('locks', [LOCK]);
    show(master);
    await screen.findByRole('link', {name: 'jtag'});
    fireEvent.click(screen.getByRole('button', {name: 'Oldest wait'}));
    await waitFor(() =>
      expect(master.asked.at(-1)![1]).toEqual({
        limit: 50, offset: 0, order: 'oldest_wait_at', waiting__gt: 0,
      }),
    );
  });

  it('lets the master seek when somebody has stopped typing', async () => {
    const master = new Master().knows('locks', [LOCK]);
    show(master);
    const field = screen.getByRole('searchbox', {name: 'Search locks'});
    fireEvent.change(field, {target: {value: 'j'}});
    fireEvent.change(field, {target: {value: 'jt'}});
    await waitFor(() => expect(master.asked.length).toBe(2));
    expect(master.asked[1][1].name__contains).toBe('jt');
  });

  it('asks nothing for the events of locks that are not seen', async () => {
    vi.useFakeTimers();
    const master = new Master().knows('locks', [LOCK]);
    show(master);
    await act(() => vi.advanceTimersByTimeAsync(2000));
    master.tell('locks/99/copies/1/released', {...COPY, lockid: 99});
    master.tell('workers/1/connected', {...COPY});
    await act(() => vi.advanceTimersByTimeAsync(2000));
    expect(master.asked.length).toBe(1);
    vi.useRealTimers();
  });

  it('follows the events of locks that are seen', async () => {
    const master = new Master().knows('locks', [LOCK]);
    const {unmount} = show(master);
    await screen.findByText('1 of 1');
    expect(master.subscribed).toEqual(['locks/*/copies/*/*']);
    master.knows('locks', [{...LOCK, used: 0}]);
    master.tell('locks/3/copies/7/released', COPY);
    await screen.findByText('0 of 1');
    unmount();
    expect(master.subscribed).toEqual([]);
  });

  it('shows whatever a name holds as text, cut, with the whole as its title', async () => {
    const names = ['<img src=x onerror=alert(1)>', 'x'.repeat(10000), 'evil\u202egpj'];
    const locks = names.map((name, index) => ({...LOCK, lockid: index, name}));
    const {container} = show(new Master().knows('locks', locks));
    await screen.findByText('<img src=x onerror=alert(1)>');
    expect(container.querySelector('img')).toBeNull();
    expect(screen.getByText('evil\\u202egpj')).toBeTruthy();
    const long = screen.getByText(/^x+…$/);
    expect(long.textContent!.length).toBe(60);
    expect(long.title).toBe('x'.repeat(10000));
  });
});
