// SPDX-License-Identifier: GPL-2.0-only
import {buildbotGetSettings} from 'buildbot-plugin-support';
import {useEffect, useState} from 'react';
import {Answer, useAnswer} from './answer';

/** One page of a collection of the data API: sorted, sought through and cut by the master. */
export interface Listing<T> extends Answer<T> {
  offset: number;
  limit: number;
  /** By what it is sorted; '' is the master's own order. */
  order: string;
  /** By what it is sorted as long as nobody says otherwise. */
  firstOrder: string;
  turn(offset: number): void;
  sort(order: string): void;
  seek(text: string): void;
}

/** Sorted by this, those for which nobody waits would come first. */
const OLDEST = 'oldest_wait_at';

/** How long somebody types before it is sought. */
const TYPING = 300;

interface Options {
  /** By what it is sorted at first; else it comes in the master's own order. */
  order?: string;
  /** The field in which is sought. */
  sought?: string;
  /** Not more rows a page than these. */
  most?: number;
  /** How long it is not asked for again, in milliseconds. */
  pause?: number;
}

export function useListing<T>(
  path: string | null,
  plural: string,
  {order: firstOrder = '', sought, most = Infinity, pause}: Options,
): Listing<T> {
  const size = buildbotGetSettings().getIntegerSetting('Locks.page_size');
  const limit = Math.max(1, Math.min(size, most));
  const [offset, turn] = useState(0);
  const [order, setOrder] = useState(firstOrder);
  const [typed, seek] = useState('');
  const [text, setText] = useState('');
  const query = {
    limit,
    offset,
    // without an order, the master need not make the rows that it does not send
    ...(order === '' ? {} : {order}),
    ...(order.endsWith(OLDEST) ? {waiting__gt: 0} : {}),
    ...(sought !== undefined && text !== '' ? {[`${sought}__contains`]: text} : {}),
  };
  const answer = useAnswer<T>(path, plural, query, pause);

  useEffect(() => turn(0), [path]);
  useEffect(() => {
    if (typed !== text) {
      const timer = setTimeout(() => {
        turn(0);
        setText(typed);
      }, TYPING);
      return () => clearTimeout(timer);
    }
  }, [typed, text]);
  useEffect(() => {
    // there are fewer than there were: the page that was seen is no more
    if (answer.known && answer.total > 0 && offset >= answer.total) {
      turn(Math.floor((answer.total - 1) / limit) * limit);
    }
  }, [answer.known, answer.total, offset, limit]);

  return {
    ...answer,
    offset,
    limit,
    order,
    firstOrder,
    turn,
    sort: wanted => {
      turn(0);
      setOrder(wanted);
    },
    seek,
  };
}
