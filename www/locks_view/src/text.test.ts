// SPDX-License-Identifier: GPL-2.0-only
import {describe, expect, it} from 'vitest';
import {clock, cut, plural, shown, span, waits} from './text';

describe('shown', () => {
  it.each([
    ['plain/name-1.2', 'plain/name-1.2'],
    ['<b>&amp;', '<b>&amp;'],
    ['two\nlines', 'two\\nlines'],
    ['nul\0', 'nul\\u0000'],
    ['evil\u202egpj', 'evil\\u202egpj'],
    ['\u2066a\u200e', '\\u2066a\\u200e'],
    ['lone \ud800', 'lone \\ud800'],
    ['a\u2028b', 'a\\u2028b'],
    ['', '(no name)'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['smile 😀', 'smile 😀'],
  ])('spells out what cannot be seen in %j', (name, expected) => {
    expect(shown(name)).toBe(expected);
  });
});

describe('cut', () => {
  it('leaves what is short enough', () => {
    expect(cut('abcde', 5)).toBe('abcde');
  });

  it('cuts what is longer, to the length that is asked', () => {
    expect(cut('x'.repeat(10000), 5)).toBe('xxxx…');
  });

  it('never cuts through a character', () => {
    expect(cut('😀'.repeat(9), 3)).toBe('😀😀…');
    expect(cut('😀'.repeat(3), 3)).toBe('😀😀😀');
  });
});

describe('span', () => {
  it.each([
    [-5, '0 s'],
    [0.9, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [192, '3 min 12 s'],
    [3600, '1 h'],
    [3601, '1 h'],
    [86399, '23 h 59 min'],
    [90061, '1 d 1 h'],
  ])('tells %d seconds in the two largest units', (seconds, expected) => {
    expect(span(seconds)).toBe(expected);
  });
});

describe('clock', () => {
  const noon = new Date(2026, 5, 10, 12, 0).getTime() / 1000;

  it('names the day only if it is another', () => {
    expect(clock(noon + 60, noon)).not.toContain('10');
    expect(clock(noon + 86400, noon)).toContain('11');
  });
});

describe('plural', () => {
  it('says one of one, many of none', () => {
    expect([0, 1, 2].map(count => plural(count, 'copy', 'copies'))).toEqual([
      '0 copies', '1 copy', '2 copies',
    ]);
  });
});

describe('waits', () => {
  it('says whether anybody does', () => {
    expect([0, 1, 2000].map(waits)).toEqual(['nobody waits', '1 waits', '2,000 wait']);
  });
});
