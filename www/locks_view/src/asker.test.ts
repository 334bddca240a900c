// SPDX-License-Identifier: GPL-2.0-only
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {Asker} from './asker';

describe('Asker', () => {
  let answers: {resolve(value: string): void; reject(reason: any): void; cancel: any}[];
  let told: string[];
  let failed: any[];
  let asker: Asker<string>;

  beforeEach(() => {
    vi.useFakeTimers();
    answers = [];
    told = [];
    failed = [];
    asker = new Asker<string>(
      () => {
        const cancel = vi.fn();
        const promise: any = new Promise((resolve, reject) =>
          answers.push({resolve, reject, cancel}),
        );
        promise.cancel = cancel;
        return promise;
      },
      answer => told.push(answer),
      reason => failed.push(reason),
      1000,
    );
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks at once', () => {
    asker.ask();
    expect(answers.length).toBe(1);
  });

  it('asks once more after the answer and a pause, however often a change was heard of', async () => {
    asker.ask();
    asker.ask();
    asker.ask();
    answers[0].resolve('first');
    await vi.advanceTimersByTimeAsync(999);
    asker.ask();
    expect(answers.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(answers.length).toBe(2);
    answers[1].resolve('second');
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toEqual(['first', 'second']);
    expect(answers.length).toBe(2);
  });

  it('goes on after a failure', async () => {
    asker.ask();
    asker.ask();
    answers[0].reject('no');
    await vi.advanceTimersByTimeAsync(1000);
    expect(failed).toEqual(['no']);
    expect(answers.length).toBe(2);
  });

  it('tells nothing once closed, and asks nothing', async () => {
    asker.ask();
    asker.ask();
    asker.close();
    expect(answers[0].cancel).toHaveBeenCalled();
    answers[0].resolve('late');
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toEqual([]);
    expect(answers.length).toBe(1);
  });
});
