// SPDX-License-Identifier: GPL-2.0-only
import {act, screen} from '@testing-library/react';
import React from 'react';
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {useAnswer} from './answer';
import {Master, visit} from './testing/master';

function Rows() {
  const answer = useAnswer<{id: number}>('things', 'things');
  return (
    <button type="button" onClick={answer.refresh}>
      {[...answer.rows.map(row => row.id), answer.failure].join(' ')}
    </button>
  );
}

describe('useAnswer', () => {
  let visible: DocumentVisibilityState;
  let master: Master;

  beforeEach(() => {
    vi.useFakeTimers();
    visible = 'visible';
    vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visible);
    master = new Master().knows('things', [{id: 1}]);
  });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const after = (seconds: number) => act(() => vi.advanceTimersByTimeAsync(seconds * 1000));
  const refresh = () => act(() => screen.getByRole('button').click());

  async function see() {
    visit(master, '/', '/', <Rows />);
    await after(2);
  }

  it('asks again after a silence, for the web socket may be gone', async () => {
    await see();
    await after(57);
    expect(master.asked.length).toBe(1);
    await after(2);
    expect(master.asked.length).toBe(2);
  });

  it('asks nothing while nobody sees it, and once it is seen again', async () => {
    await see();
    visible = 'hidden';
    refresh();
    await after(300);
    expect(master.asked.length).toBe(1);
    visible = 'visible';
    act(() => void document.dispatchEvent(new Event('visibilitychange')));
    await after(2);
    expect(master.asked.length).toBe(2);
  });

  it('asks nothing any more when it is left', async () => {
    const view = visit(master, '/', '/', <Rows />);
    await after(2);
    view.unmount();
    await after(300);
    expect(master.asked.length).toBe(1);
  });

  it('keeps what it had when the master does not answer', async () => {
    await see();
    master.restClient.get = () => {
      const promise: any = Promise.reject({response: {status: 503}});
      promise.cancel = () => undefined;
      return promise;
    };
    refresh();
    await after(2);
    expect(screen.getByRole('button').textContent).toBe('1 failed');
  });
});
