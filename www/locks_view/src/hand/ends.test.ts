// SPDX-License-Identifier: GPL-2.0-only
import {describe, expect, it} from 'vitest';
import {read, shortcuts, written} from './ends';

const at = (text: string) => new Date(text).getTime() / 1000;

describe('a time in a field', () => {
  it('is read as it was written, but for the seconds', () => {
    const time = at('2026-11-05T09:07:41');
    expect(written(time)).toBe('2026-11-05T09:07');
    expect(read(written(time))).toBe(time - 41);
  });

  it('is none while it is being typed', () => {
    expect(read('')).toBeNaN();
    expect(written(NaN)).toBe('');
  });
});

describe('shortcuts', () => {
  const now = at('2026-11-05T15:00:00');
  const evening = at('2026-11-05T18:00:00');

  const names = (...words: Parameters<typeof shortcuts>) => shortcuts(...words).map(({name}) => name);

  it('are lengths from now on, and the evening', () => {
    expect(shortcuts(now, null, Infinity).map(({time}) => time)).toEqual([
      now + 900,
      now + 3600,
      now + 7200,
      evening,
    ]);
  });

  it('put off the end that there is', () => {
    expect(shortcuts(now, now + 600, Infinity)[0]).toEqual({name: '15 min more', time: now + 1500});
  });

  it('put off an end that is over from now on', () => {
    expect(shortcuts(now, now - 600, Infinity)[0].time).toBe(now + 900);
  });

  it('leave out what is over, and what is later than possible', () => {
    expect(names(evening, null, Infinity)).toEqual(['15 min', '1 h', '2 h']);
    expect(names(now, null, now + 3600)).toEqual(['15 min', '1 h']);
  });
});
