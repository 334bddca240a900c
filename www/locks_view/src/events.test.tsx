// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {describe, expect, it} from 'vitest';
import {useEvents} from './events';
import {Master, visit} from './testing/master';

describe('useEvents', () => {
  it('hears what fits, and nothing else', () => {
    const heard: string[] = [];
    function Ear() {
      useEvents(['builds/7/*', 'locks/*/copies/*/*'], (_, key) => heard.push(key.join('/')));
      return <></>;
    }
    const master = new Master();
    const view = visit(master, '/', '/', <Ear />);
    const told = [
      'builds/7/finished', 'builds/8/finished', 'builds/7/steps/3', 'builds/7',
      'locks/1/copies/2/claimed', 'locks/1/copies/2', 'workers/1/copies/2/claimed',
    ];
    told.forEach(key => master.tell(key, {}));
    expect(heard).toEqual(['builds/7/finished', 'locks/1/copies/2/claimed']);
    view.unmount();
    master.tell('builds/7/finished', {});
    expect(heard.length).toBe(2);
    expect(master.subscribed).toEqual([]);
  });
});
