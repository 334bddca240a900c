// SPDX-License-Identifier: GPL-2.0-only
import {act, screen, waitFor} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {Master, visit} from './testing/master';
import {seenOn, WhyAction} from './WhyAction';

describe('seenOn', () => {
  it.each([
    ['/builders/5/builds/12', 'builders/5/builds/12'],
    ['/builders/5', 'builders/5'],
    ['/buildrequests/91', 'buildrequests/91'],
    ['/builders', undefined],
    ['/builders/5/builds/12/steps/1/logs/stdio', undefined],
    ['/locks/3', undefined],
  ])('knows what the page at %s is of', (address, path) => {
    expect(seenOn(address)?.path).toBe(path);
  });
});

describe('WhyAction', () => {
  function show(master: Master, address: string) {
    return visit(master, address, address, <WhyAction />);
  }

  const build = {buildid: 80, complete: false};

  function lab() {
    return new Master().knows('builders/5/builds/12', [build]);
  }

  it('is a button of a build that runs, and leads to its reasons', async () => {
    const {topbar} = show(lab(), '/builders/5/builds/12');
    await waitFor(() => expect(topbar.actions.length).toBe(1));
    expect(topbar.actions[0].caption).toBe('Why does it wait?');
    act(() => topbar.actions[0].action());
    expect(screen.getByRole('status').textContent).toBe('/why/build/80');
    expect(topbar.actions).toEqual([]);
  });

  it('stays behind the buttons that the page sets anew', async () => {
    const {topbar, unmount} = show(lab(), '/builders/5/builds/12');
    await waitFor(() => expect(topbar.actions.length).toBe(1));
    topbar.setActions([{caption: 'Stop'}]);
    expect(topbar.actions.map(action => action.caption)).toEqual(['Stop', 'Why does it wait?']);
    unmount();
    expect(topbar.actions.map(action => action.caption)).toEqual(['Stop']);
  });

  it('goes when the build is complete', async () => {
    const master = lab();
    const {topbar} = show(master, '/builders/5/builds/12');
    await waitFor(() => expect(topbar.actions.length).toBe(1));
    act(() => master.tell('builds/80/finished', {...build, complete: true}));
    expect(topbar.actions).toEqual([]);
  });

  it('is not there for a build that is complete', async () => {
    const master = lab().knows('builders/5/builds/12', [{...build, complete: true}]);
    const {topbar} = show(master, '/builders/5/builds/12');
    await waitFor(() => expect(master.asked.length).toBe(1));
    await act(() => Promise.resolve());
    expect(topbar.actions).toEqual([]);
  });
});
