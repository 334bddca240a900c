// SPDX-License-Identifier: GPL-2.0-only
// When a hold ends. Times are seconds of the epoch.
import {clock} from '../text';

/** A time as the field of a browser has it: of the place where it is, to the minute. */
export function written(time: number): string {
  if (Number.isNaN(time)) {
    return '';
  }
  const at = new Date(time * 1000);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(padded).join('-');
  return `${day}T${padded(at.getHours())}:${padded(at.getMinutes())}`;
}

function padded(figure: number): string {
  return String(figure).padStart(2, '0');
}

/** The time that is in a field; NaN if there is none yet. */
export function read(text: string): number {
  return new Date(text).getTime() / 1000;
}

const SPANS: [string, number][] = [
  ['15 min', 900],
  ['1 h', 3600],
  ['2 h', 7200],
];

/** When people go home. */
const EVENING = 18;

export interface Shortcut {
  name: string;
  time: number;
}

/**
 * Ends that people often want.
 *
 * @param from the end that there is, which is put off; null if there is none yet.
 * @param latest the last that is possible.
 */
export function shortcuts(now: number, from: number | null, latest: number): Shortcut[] {
  const start = Math.max(now, from ?? 0);
  const more = from === null ? '' : ' more';
  const evening = new Date(now * 1000).setHours(EVENING, 0, 0, 0) / 1000;
  return [
    ...SPANS.map(([name, length]) => ({name: name + more, time: start + length})),
    ...(evening > start ? [{name: `until ${clock(evening, now)}`, time: evening}] : []),
  ].filter(({time}) => time <= latest);
}
