// SPDX-License-Identifier: GPL-2.0-only
import {describe, expect, it} from 'vitest';
import {Copy, Owner} from '../entities';
import {COPY, HOLDER} from '../testing/master';
import {targetOf} from './target';

describe('targetOf', () => {
  const copy = {...COPY, version: 'v2'} as Copy;
  const owner = (words: object) => ({...HOLDER, version: 'v2', ...words}) as Owner;

  it.each([
    ['the copy, when all agree', [owner({})], 'v2'],
    ['who holds it, when that was told before', [owner({}), owner({version: 'v1'})], 'v1'],
    ['the copy, whatever is told of others', [owner({copyid: 8, version: 'v1'})], 'v2'],
    ['the copy, when nobody holds it', [], 'v2'],
  ])('has the version of %s', (_, owners, version) => {
    expect(targetOf(copy, owners).version).toBe(version);
  });

  it.each([
    ['worker', {}, 'board-1', null],
    ['branch', {worker: null, branch: 'main', codebase: 'c'}, 'main', 'c'],
    ['key', {worker: null, key: 'k'}, 'k', null],
    ['nobody but the lock', {worker: null}, null, null],
  ])('says of which %s it is', (_, words, of, codebase) => {
    expect(targetOf({...copy, ...words}, [])).toMatchObject({of, codebase});
  });
});
