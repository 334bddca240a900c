// SPDX-License-Identifier: GPL-2.0-only
import {TopbarItem, useTopbarItems} from 'buildbot-ui';
import React, {ReactNode, useMemo} from 'react';
import {NavLink} from 'react-router-dom';
import {useColours} from '../colours';
import {cut, shown} from '../text';

interface Props {
  title: ReactNode;
  /** Where this page is, below Locks: what it is called, and its address. */
  trail?: [string, string][];
  children: ReactNode;
}

/** What all pages of the locks have in common. */
export function Frame({title, trail = [], children}: Props) {
  useColours();
  const spelled = JSON.stringify([['Locks', '/locks'], ...trail]);
  const items = useMemo<TopbarItem[]>(
    () =>
      JSON.parse(spelled).map(([name, route]: [string, string]) => ({
        caption: cut(shown(name), 30),
        route,
      })),
    [spelled],
  );
  useTopbarItems(items);
  return (
    <main className="container bb-locks">
      <nav className="bb-locks-nav" aria-label="Locks">
        <NavLink to="/locks" end>
          All locks
        </NavLink>
        <NavLink to="/locks/costs">Waiting costs</NavLink>
      </nav>
      <h1>{title}</h1>
      {children}
    </main>
  );
}
