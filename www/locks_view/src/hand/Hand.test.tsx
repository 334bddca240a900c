// SPDX-License-Identifier: GPL-2.0-only
import {screen} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {ALICE, ANONYMOUS, COPY, HOLDER, Master, visit, WAITER} from '../testing/master';
import {CopyView} from '../views/CopyView';

describe('Hand', () => {
  async function show(config: object) {
    const master = new Master()
      .knows('copies/7', [COPY])
      .knows('copies/7/holders', [HOLDER])
      .knows('copies/7/waiters', [{...WAITER, place: 2}]);
    visit(master, '/locks/3/copies/7', '/locks/:lockid/copies/:copyid', <CopyView />, config);
    await screen.findByText('nightly request 91');
    await screen.findByText('firmware #12 / test/flash');
    return screen.queryAllByRole('button', {name: /^(Hold|Kick|First|Quarantine) /}).length;
  }

  it('is there for one who has logged in', async () => {
    expect(await show(ALICE)).toBe(4);
    expect(screen.queryByRole('link', {name: 'Log in'})).toBeNull();
  });

  it('is there for all where the configuration says so', async () => {
    expect(await show({...ANONYMOUS, handForAnonymous: true})).toBe(4);
  });

  it('leads others to where they can log in, and back', async () => {
    expect(await show(ANONYMOUS)).toBe(0);
    expect(screen.getByRole('link', {name: 'Log in'}).getAttribute('href')).toBe(
      'http://localhost/auth/login?redirect=%2Flocks%2F3%2Fcopies%2F7',
    );
  });

  it('says that nobody can log in', async () => {
    expect(await show({...ANONYMOUS, auth: {name: 'NoAuth'}})).toBe(0);
    screen.getByText('Nobody can log in to this master, so nothing can be done by hand here.');
  });
});
