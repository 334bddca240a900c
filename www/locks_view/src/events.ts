// SPDX-License-Identifier: GPL-2.0-only
import {DataClientContext} from 'buildbot-data-js';
import {useContext, useEffect, useRef} from 'react';

/** Hear what the master tells on these paths, in which `*` is any one word. */
export function useEvents(paths: string[], heard: (message: any, key: string[]) => void) {
  const {webSocketClient} = useContext(DataClientContext);
  const latest = useRef(heard);
  latest.current = heard;
  const joined = paths.join(' ');

  useEffect(() => {
    const wanted = joined === '' ? [] : joined.split(' ');
    const patterns = wanted.map(path => path.split('/'));
    const me = {};
    const deaf = webSocketClient.eventStream.subscribe(({k, m}) => {
      const key = k.split('/');
      if (patterns.some(pattern => fits(pattern, key))) {
        latest.current(m, key);
      }
    });
    wanted.forEach(path => webSocketClient.subscribe(path, me).catch(() => undefined));
    return () => {
      deaf();
      wanted.forEach(path => webSocketClient.unsubscribe(path, me).catch(() => undefined));
    };
  }, [webSocketClient, joined]);
}

function fits(pattern: string[], key: string[]): boolean {
  return (
    pattern.length === key.length &&
    pattern.every((word, index) => word === '*' || word === key[index])
  );
}
