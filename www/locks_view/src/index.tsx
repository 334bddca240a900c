// SPDX-License-Identifier: GPL-2.0-only
// What the page of the locks adds to Buildbot's: a menu entry, routes, settings, one button.
import {buildbotSetupPlugin} from 'buildbot-plugin-support';
import React from 'react';
import {COLOURS} from './colours';
import './styles.css';
import {CopyView} from './views/CopyView';
import {CostsView} from './views/CostsView';
import {LocksView} from './views/LocksView';
import {LockView} from './views/LockView';
import {WhyView} from './views/WhyView';
import {WhyAction} from './WhyAction';

const ICON = (
  <>
    <svg width="1em" height="1em" viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
      <path d="M8 1a4 4 0 0 0-4 4v2H3v8h10V7h-1V5a4 4 0 0 0-4-4zm-2 6V5a2 2 0 0 1 4 0v2z" />
    </svg>
    <WhyAction />
  </>
);

const ROUTES: [string, () => JSX.Element][] = [
  ['locks', () => <LocksView />],
  ['locks/costs', () => <CostsView />],
  ['locks/:lockid', () => <LockView />],
  ['locks/:lockid/copies/:copyid', () => <CopyView />],
  ['why/:kind/:id', () => <WhyView />],
];

buildbotSetupPlugin(registrations => {
  registrations.registerMenuGroup({
    name: 'locks',
    parentName: null,
    caption: 'Locks',
    icon: ICON,
    order: 6,
    route: '/locks',
  });
  for (const [route, element] of ROUTES) {
    registrations.registerRoute({route, group: 'locks', element});
  }
  registrations.registerSettingGroup({
    name: 'Locks',
    caption: 'Locks pages related settings',
    items: [
      {
        name: 'page_size',
        type: 'integer',
        caption: 'Number of rows to show per page',
        defaultValue: 50,
      },
      {
        name: 'colours',
        type: 'choice_combo',
        caption: 'Colours',
        choices: COLOURS,
        defaultValue: COLOURS[0],
      },
    ],
  });
});
