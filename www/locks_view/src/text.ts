// SPDX-License-Identifier: GPL-2.0-only
// Names and times as people read them.

// What has no shape of its own, or turns its neighbours round: but not the joiners that some
// scripts need to be written.
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;

function escaped(character: string): string {
  const plain = JSON.stringify(character).slice(1, -1);
  return plain.startsWith('\\')
    ? plain
    : '\\u' + character.codePointAt(0)!.toString(16).padStart(4, '0');
}

/** The name with what cannot be seen spelled out. */
export function shown(name: string): string {
  return name === '' ? '(no name)' : name.replace(UNSEEN, escaped);
}

/** Not longer than so many characters. */
export function cut(text: string, most: number): string {
  if (text.length <= most) {
    return text;
  }
  const characters = Array.from(text.slice(0, 2 * most + 2));
  return characters.length <= most ? text : characters.slice(0, most - 1).join('') + '…';
}

/** So many seconds, in their two largest units; clocks differ, so none may be negative. */
export function span(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) {
    return '0 s';
  }
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** The time of the day, with the day if it is another than that of now. */
export function clock(time: number, now: number): string {
  const at = new Date(time * 1000);
  const minute = at.toLocaleTimeString([], {hour: 'numeric', minute: '2-digit'});
  return at.toDateString() === new Date(now * 1000).toDateString()
    ? minute
    : at.toLocaleDateString([], {day: 'numeric', month: 'short'}) + ' ' + minute;
}

export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

export function waits(count: number): string {
  return count === 0 ? 'nobody waits' : plural(count, 'waits', 'wait');
}
