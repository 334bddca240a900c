// SPDX-License-Identifier: GPL-2.0-only
import {screen} from '@testing-library/react';
import React from 'react';
import {describe, expect, it} from 'vitest';
import {Master, visit} from '../testing/master';
import {WhyView} from './WhyView';

const REASON = {
  reasonid: 1,
  kind: 'lock',
  text: 'jtag[board-1] is held by firmware #12',
  buildrequestids: [91],
  buildid: null,
  stepid: null,
  lockid: 3,
  copyid: 7,
  copy: 'jtag[board-1]',
  place: 1,
  worker: null,
  workerid: null,
  builderid: null,
  since_at: 999_940,
  again_at: null,
};

const REQUEST = {buildrequestid: 91, builderid: 6, complete: false};

function lab() {
  return new Master()
    .knows('builders/6', [{builderid: 6, name: 'nightly'}])
    .knows('buildrequests/91', [REQUEST])
    .knows('buildrequests/91/reasons', [REASON]);
}

function show(master: Master, address: string) {
  return visit(master, address, '/why/:kind/:id', <WhyView />);
}

const heading = () => screen.getByRole('heading').textContent;

describe('WhyView', () => {
  it('tells each reason of a request, with a way to the lock', async () => {
    show(lab(), '/why/request/91');
    await screen.findByText('jtag[board-1] is held by firmware #12');
    await screen.findByText('nightly');
    expect(heading()).toBe('Why does build request 91 of nightly wait?');
    const link = screen.getByRole('link', {name: 'jtag[board-1]'});
    expect(link.getAttribute('href')).toBe('/locks/3/copies/7');
    expect(screen.getByText('1 min')).toBeTruthy();
  });

  it('asks anew when the lock of a reason passes on', async () => {
    const master = lab();
    show(master, '/why/request/91');
    await screen.findByText('jtag[board-1] is held by firmware #12');
    expect(master.subscribed).toContain('locks/3/copies/7/*');
    master.knows('buildrequests/91/reasons', [{...REASON, text: 'held by firmware #13'}]);
    master.tell('locks/3/copies/7/claimed', {});
    await screen.findByText('held by firmware #13');
  });

  it('names the requests of a builder, and counts the rest', async () => {
    const ids = Array.from({length: 25}, (_, index) => 100 + index);
    const master = lab().knows('builders/6/reasons', [{...REASON, buildrequestids: ids}]);
    show(master, '/why/builder/6');
    await screen.findByText(/and 5 more/);
    expect(heading()).toBe('Why do requests of nightly wait?');
    expect(screen.getByRole('link', {name: '119'}).getAttribute('href')).toBe('/buildrequests/119');
    expect(screen.queryByRole('link', {name: '120'})).toBeNull();
  });

  it('names the build of a step', async () => {
    const master = lab()
      .knows('steps/70', [{stepid: 70, buildid: 80, name: 'test/flash', complete: false}])
      .knows('steps/70/reasons', [REASON])
      .knows('builds/80', [{buildid: 80, builderid: 6, number: 12}]);
    show(master, '/why/step/70');
    await screen.findByText('nightly');
    expect(heading()).toBe('Why does step test/flash of build 12 of nightly wait?');
  });

  it.each([
    [{complete: true}, 'It does not: it is complete.'],
    [{complete: false}, 'It does not wait for anything known: it is running or about to start.'],
  ])('says that nothing is waited for (%j)', async (changed, sentence) => {
    const master = lab()
      .knows('buildrequests/91', [{...REQUEST, ...changed}])
      .knows('buildrequests/91/reasons', []);
    show(master, '/why/request/91');
    await screen.findByText(sentence);
  });

  it.each(['/why/request/999', '/why/nonsense/1', '/why/constructor/1'])(
    'says that there is nothing at %s',
    async address => {
      show(lab(), address);
      await screen.findByText('The master does not know this, or has no locks at all.');
    },
  );
});
