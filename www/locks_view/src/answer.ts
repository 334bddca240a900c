// SPDX-License-Identifier: GPL-2.0-only
import {DataClientContext} from 'buildbot-data-js';
import {useCallback, useContext, useEffect, useRef, useState} from 'react';
import {Asker} from './asker';

/** Without an event for so long, what is seen is asked for again: the web socket may be gone. */
const SILENCE = 60 * 1000;

export type Failure = 'missing' | 'failed';

export interface Answer<T> {
  rows: T[];
  total: number;
  /** There has been an answer. */
  known: boolean;
  failure: Failure | null;
  /** Ask again, soon, or once it is seen. */
  refresh(): void;
  /** What an event has told of one row. */
  change(row: T, same: (other: T) => boolean): void;
}

interface Told<T> {
  path: string | null;
  rows: T[];
  total: number;
  failure: Failure | null;
}

/** A page that is not seen asks nothing; it asks once it is seen again. */
function seen(): boolean {
  return document.visibilityState === 'visible';
}

/** What the data API answers, kept true; nothing is asked while there is no path. */
export function useAnswer<T>(
  path: string | null,
  plural: string,
  query: Record<string, unknown> = {},
  pause = 1000,
): Answer<T> {
  const {restClient} = useContext(DataClientContext);
  const [told, setTold] = useState<Told<T> | null>(null);
  const asker = useRef<Asker<any> | null>(null);
  const asked = JSON.stringify(query);

  useEffect(() => {
    if (path === null) {
      return;
    }
    const current = new Asker<any>(
      () => restClient.get(path, JSON.parse(asked)),
      answer => {
        const rows: T[] = answer[plural] ?? [];
        setTold({path, rows, total: answer.meta?.total ?? rows.length, failure: null});
      },
      reason => {
        const failure = reason?.response?.status === 404 ? 'missing' : 'failed';
        // what is missing has no rows; what could not be asked has those that it had
        setTold(last => ({
          ...(last?.path === path && failure === 'failed' ? last : {rows: [], total: 0}),
          path,
          failure,
        }));
      },
      pause,
    );
    asker.current = current;
    current.ask();
    const look = () => seen() && current.ask();
    const timer = setInterval(look, SILENCE);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
      current.close();
    };
  }, [restClient, path, plural, asked, pause]);

  const refresh = useCallback(() => {
    if (seen()) {
      asker.current?.ask();
    }
  }, []);
  const change = useCallback(
    (row: T, same: (other: T) => boolean) =>
      setTold(last => last && {...last, rows: last.rows.map(old => (same(old) ? row : old))}),
    [],
  );
  const mine = told !== null && told.path === path ? told : null;
  return {
    rows: mine?.rows ?? [],
    total: mine?.total ?? 0,
    known: mine !== null && (mine.failure === null || mine.rows.length > 0),
    failure: mine?.failure ?? null,
    refresh,
    change,
  };
}
