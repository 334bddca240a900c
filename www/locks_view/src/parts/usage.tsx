// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Meter} from './Meter';
import type {Column} from './Table';
import {Age} from './Time';

interface Usage {
  used: number;
  capacity: number;
  waiting: number;
  oldest_wait_at: number | null;
}

/** How a lock, or a copy of one, is used. */
export const USAGE: Column<Usage>[] = [
  {
    name: 'In use',
    key: 'used',
    figure: true,
    cell: row => <Meter used={row.used} capacity={row.capacity} />,
  },
  {
    name: 'Waiting',
    key: 'waiting',
    figure: true,
    cell: row => row.waiting.toLocaleString(),
  },
  {
    name: 'Oldest wait',
    key: 'oldest_wait_at',
    cell: row => (row.oldest_wait_at === null ? null : <Age since={row.oldest_wait_at} />),
  },
];
