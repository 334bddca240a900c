// SPDX-License-Identifier: GPL-2.0-only
import {screen} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {Holder, Waiter} from '../entities';
import {HOLDER, Master, PERSON_HOLDER, visit, WAITER} from '../testing/master';
import {HolderCell, WaiterCell} from './Who';

const MARKUP = '<img src=x onerror=alert(1)>';

function text(cell: JSX.Element) {
  const {container} = visit(new Master(), '/', '/', <p className="cell">{cell}</p>);
  expect(container.querySelector('img')).toBeNull();
  return container.querySelector('.cell')!.textContent;
}

describe('HolderCell', () => {
  const until = new Date(1_003_600_000).toLocaleTimeString([], {hour: 'numeric', minute: '2-digit'});

  it.each([
    ['a step', {}, 'firmware #12 / test/flash'],
    ['a person', PERSON_HOLDER, `alice by handuntil ${until} · on my desk`],
    ['one who is late', {...PERSON_HOLDER, overdue: true}, `alice by handuntil ${until} overdue · on my desk`],
    ['any name', {...PERSON_HOLDER, until_at: null, person: MARKUP, reason: MARKUP}, `${MARKUP} by hand${MARKUP}`],
    ['a quarantine', {kind: 'quarantine', person: 'bob', reason: 'it burns'}, 'quarantine by bobit burns'],
    ['a quarantine of the master', {kind: 'quarantine'}, 'quarantine'],
  ])('says of %s who it is, until when and why', (_, words, expected) => {
    expect(text(<HolderCell holder={{...HOLDER, ...words} as Holder} />)).toBe(expected);
  });
});

describe('WaiterCell', () => {
  it('says who was put first', () => {
    expect(text(<WaiterCell waiter={{...WAITER, first_at: 999_940} as Waiter} />)).toBe(
      '1. nightly request 91 put first, 1 min ago',
    );
    expect(screen.getByRole('link').getAttribute('href')).toBe('/buildrequests/91');
  });
});
