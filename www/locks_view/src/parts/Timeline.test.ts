// SPDX-License-Identifier: GPL-2.0-only
import {describe, expect, it} from 'vitest';
import {edges, outline} from './Timeline';

describe('outline', () => {
  it('is one step for each value, nought at the bottom', () => {
    expect(outline([0, 1, 2, 1], 2)).toBe('M0 100H250L250 50H500L500 0H750L750 50H1000');
  });

  it('stays inside whatever the values are', () => {
    expect(outline([5], 2)).toBe('M0 0H1000');
    expect(outline([0], 0)).toBe('M0 100H1000');
  });
});

describe('edges', () => {
  it('goes to the end of the last point, not to its beginning', () => {
    expect(edges([{at: 100}, {at: 110}, {at: 120}])).toEqual([100, 115, 130]);
  });
});
