// SPDX-License-Identifier: GPL-2.0-only
import {act, fireEvent, screen, waitFor, within} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {
  ALICE, COPY, HOLDER, LOCK, Master, PERSON_HOLDER, refused, visit, WAITER,
} from '../testing/master';
import {CopyView} from '../views/CopyView';
import {LockView} from '../views/LockView';

function lab() {
  return new Master()
    .knows('copies/7', [COPY])
    .knows('copies/7/holders', [HOLDER])
    .knows('copies/7/waiters', [WAITER]);
}

async function show(master: Master) {
  const view = visit(
    master, '/locks/3/copies/7', '/locks/:lockid/copies/:copyid', <CopyView />, ALICE,
  );
  await screen.findByText('nightly request 91');
  return view;
}

const dialog = () => within(screen.getByRole('dialog'));
const press = (name: string) => fireEvent.click(dialog().getByRole('button', {name}));
const open = (name: string) => fireEvent.click(screen.getByRole('button', {name}));
const type = (label: string, value: string) =>
  fireEvent.change(dialog().getByLabelText(label), {target: {value}});
const gone = () => waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());

async function hold(master: Master) {
  await show(master);
  open('Hold jtag[board-1]');
  type('Why', 'on my desk');
}

describe('DeedDialog', () => {
  it('has done what was asked, says so, and asks how it is now', async () => {
    const master = lab();
    master.does = () => ({holdid: 4, state: 'waiting'});
    await hold(master);
    press('15 min');
    const before = master.asked.length;
    press('Hold');
    await gone();
    expect(master.done).toEqual([
      ['copies/7', 'hold', {version: 'v1', until: 1_000_900, reason: 'on my desk'}],
    ]);
    expect(screen.getByText('Hold jtag[board-1]: you are in line for it.')).toBeTruthy();
    await waitFor(() => expect(master.paths().slice(before)).toContain('copies/7/holders'));
  });

  it('says how long until the end, and what happens then', async () => {
    await hold(lab());
    expect(dialog().getByText(/ends by itself only if the lock says so; otherwise it is overdue\.$/)).toBeTruthy();
    expect(dialog().getByText('for 1 h from now')).toBeTruthy();
    press('15 min');
    expect(dialog().getByText('for 15 min from now')).toBeTruthy();
    type('Until', '');
    expect(dialog().queryByText(/from now$/)).toBeNull();
  });

  it('sends the version that was seen when it was opened, not the one of now', async () => {
    const master = lab();
    await hold(master);
    const now = {...COPY, version: 'v2', used: 0};
    master.knows('copies/7', [now]).knows('copies/7/holders', []);
    act(() => master.tell('locks/3/copies/7/released', now));
    await screen.findByText('0 of 1');
    press('Hold');
    await gone();
    expect(master.done[0][2].version).toBe('v1');
  });

  it('sends the version of a holder that was told before the copy', async () => {
    const master = lab();
    await show(master);
    act(() => master.tell('locks/3/copies/7/claimed', {...COPY, version: 'v2'}));
    open('Hold jtag[board-1]');
    type('Why', 'on my desk');
    press('Hold');
    await gone();
    expect(master.done[0][2].version).toBe('v1');
  });

  it('shows how it is when that has changed, and sends this only when it is pressed again', async () => {
    const master = lab();
    master.does = ({version}) => {
      if (version === 'v1') {
        throw refused(400, 'jtag[board-1] is held by bob now.');
      }
      return {state: 'waiting'};
    };
    await hold(master);
    const bob = {...PERSON_HOLDER, person: 'bob', text: 'bob, by hand', version: 'v2'};
    master
      .knows('copies/7', [{...COPY, version: 'v2'}])
      .knows('copies/7/holders', [bob])
      .knows('copies/7/waiters', []);
    press('Hold');
    const alert = await dialog().findByText('jtag[board-1] is held by bob now.');
    expect(document.activeElement).toBe(alert.closest('[role=alert]'));
    const present = screen.getByRole('heading', {name: 'How it is now'}).parentElement!;
    expect(within(present).getByText('bob, by hand')).toBeTruthy();
    await screen.findByText('bob');
    expect((dialog().getByLabelText('Why') as HTMLInputElement).value).toBe('on my desk');
    expect(master.done.length).toBe(1);
    press('Hold');
    await gone();
    expect(master.done[1][2]).toMatchObject({version: 'v2', reason: 'on my desk'});
  });

  it('is not sent again by a press that came twice, or by a key that is kept down', async () => {
    const master = lab();
    master.does = () => {
      throw refused(400, 'It has changed.');
    };
    await hold(master);
    press('Hold');
    await dialog().findByText('It has changed.');
    await waitFor(() => expect(dialog().getByRole('button', {name: 'Hold'})).toHaveProperty('disabled', false));
    const button = dialog().getByRole('button', {name: 'Hold'});
    fireEvent.click(button, {detail: 2});
    expect(fireEvent.keyDown(button, {key: 'Enter', repeat: true})).toBe(false);
    expect(fireEvent.keyDown(button, {key: 'Enter'})).toBe(true);
    expect(master.done.length).toBe(1);
  });

  it('goes to the lock when nobody uses the copy any more', async () => {
    const master = lab();
    master.does = ({version}) => {
      if (version === 'v1') {
        throw refused(404, 'No copy in use has the id 7.');
      }
      return {state: 'held'};
    };
    await hold(master);
    master.knows('copies/7', () => {
      throw {response: {status: 404}};
    });
    press('Hold');
    await dialog().findByText('Nobody holds this copy, and nobody waits for it.');
    press('Hold');
    await gone();
    expect(master.done[1][0]).toBe('locks/3');
    expect(master.done[1][2]).toMatchObject({version: '0-0-0', of: 'board-1'});
    expect(screen.getByText('Hold jtag[board-1]: it is yours.')).toBeTruthy();
  });

  it.each([
    ['the sentence of the master', refused(400, 'An end in 3 years is more than 2 h.'), 'An end in 3 years is more than 2 h.'],
    ['that the master failed', {response: {status: 500, data: 'x'}}, 'The master failed (500).'],
    [
      'that there was no answer',
      new Error('Network Error'),
      'The master did not answer. It may be done all the same. You can press again: nothing is done twice.',
    ],
  ])('shows %s, and keeps what was typed', async (_, reason, sentence) => {
    const master = lab();
    master.does = () => {
      throw reason;
    };
    await hold(master);
    press('Hold');
    await dialog().findByText(sentence);
    expect((dialog().getByLabelText('Why') as HTMLInputElement).value).toBe('on my desk');
    expect(screen.queryByText('How it is now')).toBeNull();
  });

  it('cannot be pressed while it is under way', async () => {
    const master = lab();
    let answer: (result: any) => void = () => undefined;
    master.does = () => new Promise(resolve => (answer = resolve));
    await hold(master);
    press('Hold');
    press('Hold');
    fireEvent.submit(screen.getByRole('dialog').querySelector('form')!);
    const button = dialog().getByRole('button', {name: 'Hold'}) as HTMLButtonElement;
    expect(button.disabled).toBe(true);
    await waitFor(() => expect(master.done.length).toBe(1));
    answer({state: 'held'});
    await gone();
    expect(master.done.length).toBe(1);
  });

  it.each([
    ['Why', ' ', 'Say why: everyone who waits sees it.'],
    ['Until', '', 'Say until when.'],
    ['Until', '1970-01-02T00:00', 'That is in the past.'],
    ['Until', '1990-01-02T00:00', 'Nobody may hold it for longer than 2 h.'],
  ])('says beside the field %s what is wrong with %o', async (label, value, fault) => {
    const master = lab().knows('copies/7', [{...COPY, max_hold: 7200}]);
    await hold(master);
    type(label, value);
    expect(screen.queryByText(fault)).toBeNull();
    press('Hold');
    const field = dialog().getByLabelText(label);
    expect(document.getElementById(field.getAttribute('aria-describedby')!)!.textContent).toBe(fault);
    expect(document.activeElement).toBe(field);
    expect(master.done).toEqual([]);
  });

  it.each(['0', '5', '1.5', ''])('does not take %o units of 4', async units => {
    const master = lab().knows('copies/7', [{...COPY, capacity: 4}]);
    await hold(master);
    fireEvent.click(dialog().getByLabelText('units of it'));
    type('How many units', units);
    press('Hold');
    expect(dialog().getByText('Say how many units, from 1 to 4.')).toBeTruthy();
    type('How many units', '4');
    press('Hold');
    await gone();
    expect(master.done[0][2]).toMatchObject({mode: 'counting', units: 4});
  });

  it('does nothing when it is closed, and gives the focus back', async () => {
    const master = lab();
    await show(master);
    const button = screen.getByRole('button', {name: 'Kick firmware #12 / test/flash'});
    button.focus();
    fireEvent.click(button);
    dialog().getByLabelText('Why').focus();
    fireEvent(screen.getByRole('dialog'), new Event('close'));
    await gone();
    expect(master.done).toEqual([]);
    expect(document.activeElement).toBe(button);
  });

  it.each([
    ['done', () => ({state: 'held'}), 'Hold jtag[board-1]: it is yours.'],
    ['refused', () => {throw refused(400, 'No.')}, 'Hold jtag[board-1]: No.'],
  ])('says what was %s after it was closed, and leaves the next one open', async (_, end, sentence) => {
    const master = lab();
    let answer: () => void = () => undefined;
    master.does = () => new Promise<void>(resolve => (answer = resolve)).then(end);
    await hold(master);
    press('Hold');
    await waitFor(() => expect(master.done.length).toBe(1));
    press('Close');
    await gone();
    open('Quarantine jtag[board-1]');
    type('Why', 'it burns');
    await act(async () => answer());
    await screen.findByText(sentence);
    expect((dialog().getByLabelText('Why') as HTMLInputElement).value).toBe('it burns');
  });

  it('stays when the row is gone in which it was opened', async () => {
    const master = lab();
    await show(master);
    open('Kick firmware #12 / test/flash');
    type('Why', 'it hangs');
    master.knows('copies/7/holders', []);
    act(() => master.tell('locks/3/copies/7/released', {...COPY, used: 0}));
    await screen.findByText('Nobody holds it.');
    expect((dialog().getByLabelText('Why') as HTMLInputElement).value).toBe('it hangs');
    press('Kick');
    await gone();
    expect(master.done).toEqual([
      ['copies/7', 'kick', {version: 'v1', holderid: 1, reason: 'it hangs'}],
    ]);
  });
});

describe('a copy that nobody uses', () => {
  async function showLock(lock: object) {
    const master = new Master()
      .knows('locks/3', [{...LOCK, ...lock}])
      .knows('locks/3/copies', query => (query.worker === 'board-2' ? [{...COPY, copyid: 8}] : []))
      .knows('workers', [{name: 'board-2'}]);
    visit(master, '/locks/3', '/locks/:lockid', <LockView />, ALICE);
    await screen.findByText('No copy is in use.');
    return master;
  }

  it('is quarantined by the name of its worker', async () => {
    const master = await showLock({});
    open('Quarantine a copy of jtag');
    type('Worker', ' board-2 ');
    type('Why', 'it burns');
    press('Quarantine');
    await gone();
    expect(master.done).toEqual([
      ['locks/3', 'quarantine', {version: '0-0-0', of: 'board-2', reason: 'it burns'}],
    ]);
  });

  it('is held by branch and codebase', async () => {
    const master = await showLock({kind: 'branch'});
    open('Hold a copy of jtag');
    type('Why', 'a release');
    press('Hold');
    expect(dialog().getByText('Say which branch the copy is for.')).toBeTruthy();
    type('Branch, or key', 'main');
    type('Codebase (if the lock has one copy for each)', 'libs');
    press('Hold');
    await gone();
    expect(master.done[0][2]).toMatchObject({of: 'main', codebase: 'libs', mode: 'exclusive'});
  });

  it('is shown when it is in use all the same, until another one is named', async () => {
    const master = await showLock({});
    master
      .knows('copies/8/holders', [HOLDER])
      .knows('copies/8/waiters', []);
    master.does = ({version}) => {
      if (version === '0-0-0') {
        throw refused(400, 'jtag[board-2] is in use.');
      }
      return {};
    };
    open('Quarantine a copy of jtag');
    type('Worker', 'board-2');
    type('Why', 'it burns');
    press('Quarantine');
    await dialog().findByText('firmware #12 / test/flash');
    type('Worker', 'board-3');
    expect(dialog().queryByText('firmware #12 / test/flash')).toBeNull();
    expect(dialog().queryByText('jtag[board-2] is in use.')).toBeNull();
    type('Worker', 'board-2');
    press('Quarantine');
    await dialog().findByText('firmware #12 / test/flash');
    press('Quarantine');
    await gone();
    expect(master.done.map(([path, , {version}]) => [path, version])).toEqual([
      ['locks/3', '0-0-0'],
      ['locks/3', '0-0-0'],
      ['copies/8', 'v1'],
    ]);
  });
});
