// SPDX-License-Identifier: GPL-2.0-only
import {describe, expect, it} from 'vitest';
import {Copy, Holder, Waiter} from '../entities';
import {COPY, HOLDER, PERSON_HOLDER, PERSON_WAITER, WAITER} from '../testing/master';
import {deedsOfCopy, deedsOfHolder, deedsOfWaiter, kick} from './deeds';
import {targetOf} from './target';

const verbs = (deeds: {verb: string}[]) => deeds.map(({verb}) => verb);

describe('what can be done to one who holds', () => {
  it.each([
    ['a step', {}, ['Kick']],
    ['a request without a build', {kind: 'request', buildid: null}, []],
    ['the person who looks', PERSON_HOLDER, ['Extend', 'Release', 'Hand over']],
    ['another person', {...PERSON_HOLDER, person: 'bob'}, ['Kick']],
    ['a quarantine', {kind: 'quarantine', buildid: null}, ['Restore']],
  ])('%s', (_, words, expected) => {
    expect(verbs(deedsOfHolder({...HOLDER, ...words} as Holder, 'alice'))).toEqual(expected);
  });
});

describe('what can be done to one who waits', () => {
  it.each([
    ['the first', {}, []],
    ['the second', {place: 2}, ['First']],
    ['one that was put first', {first_at: 999_000}, ['Back']],
    ['the person who looks', {...PERSON_WAITER, place: 2}, ['First', 'Extend', 'Withdraw', 'Hand over']],
    ['another person', {...PERSON_WAITER, place: 2, person: 'bob'}, ['First']],
    ['a quarantine', {kind: 'quarantine'}, ['Restore']],
  ])('%s', (_, words, expected) => {
    expect(verbs(deedsOfWaiter({...WAITER, ...words} as Waiter, 'alice'))).toEqual(expected);
  });
});

describe('what can be done to a copy', () => {
  it.each([
    ['in use', {}, ['Hold', 'Quarantine']],
    ['in quarantine', {quarantined_at: 999_000}, ['Hold', 'Restore']],
  ])('%s', (_, words, expected) => {
    const copy = {...COPY, ...words} as Copy;
    expect(verbs(deedsOfCopy(copy, targetOf(copy, [])))).toEqual(expected);
  });
});

describe('kick', () => {
  it('names the build that will be stopped', () => {
    expect(kick(HOLDER as Holder).effect).toBe(
      'The build firmware #12 on board-1 will be stopped, because it holds jtag[board-1].' +
        ' Its steps that always run still do; then it releases its locks.',
    );
  });
});
