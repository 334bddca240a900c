// SPDX-License-Identifier: GPL-2.0-only
// A plugin has no place on Buildbot's pages of builds and requests. It has one on all pages, its
// icon in the menu; from there the buttons on top of each page can be reached.
import {DataClientContext} from 'buildbot-data-js';
import {TopbarContext} from 'buildbot-ui';
import {autorun} from 'mobx';
import {useContext, useEffect, useState} from 'react';
import {matchPath, useLocation, useNavigate} from 'react-router-dom';
import {useEvents} from './events';

const CAPTIONS = {
  request: 'Why does it wait?',
  build: 'Why does it wait?',
  builder: 'Why do requests wait?',
};

/** What the page is of: where the master tells of it, and under which word. */
export interface Seen {
  kind: keyof typeof CAPTIONS;
  path: string;
  plural: string;
}

export function seenOn(address: string): Seen | null {
  const build = matchPath('/builders/:builderid/builds/:number', address);
  if (build !== null) {
    const {builderid, number} = build.params;
    return {kind: 'build', path: `builders/${builderid}/builds/${number}`, plural: 'builds'};
  }
  const request = matchPath('/buildrequests/:id', address);
  if (request !== null) {
    return {kind: 'request', path: `buildrequests/${request.params.id}`, plural: 'buildrequests'};
  }
  const builder = matchPath('/builders/:id', address);
  if (builder !== null) {
    return {kind: 'builder', path: `builders/${builder.params.id}`, plural: 'builders'};
  }
  return null;
}

const IDS = {request: 'buildrequestid', build: 'buildid', builder: 'builderid'};

interface Way {
  caption: string;
  to: string;
}

/** To the reasons of what is seen, while it may wait. */
function useWay(seen: Seen | null): Way | null {
  const {restClient} = useContext(DataClientContext);
  const [found, setFound] = useState<{path: string; id: number} | null>(null);
  useEffect(() => {
    setFound(null);
    if (seen === null) {
      return;
    }
    const request = restClient.get(seen.path);
    request.then(
      answer => {
        const row = answer[seen.plural]?.[0];
        if (row !== undefined && !row.complete) {
          setFound({path: seen.path, id: row[IDS[seen.kind]]});
        }
      },
      () => undefined,
    );
    return () => request.cancel();
  }, [restClient, seen?.path]);
  const watched = found !== null && seen !== null && seen.kind !== 'builder';
  useEvents(watched ? [`${seen.plural}/${found.id}/*`] : [], message => {
    if (message.complete) {
      setFound(null);
    }
  });
  return found !== null && seen?.path === found.path
    ? {caption: CAPTIONS[seen.kind], to: `/why/${seen.kind}/${found.id}`}
    : null;
}

export function WhyAction() {
  const store = useContext(TopbarContext);
  const navigate = useNavigate();
  const way = useWay(seenOn(useLocation().pathname));
  useEffect(() => {
    if (way === null) {
      return;
    }
    const {caption, to} = way;
    const mine = {caption, action: () => navigate(to)};
    // the page sets its own buttons anew whenever it is drawn; ours comes after them again
    const stop = autorun(() => {
      if (!store.actions.some(action => action.caption === caption)) {
        store.setActions([...store.actions, mine]);
      }
    });
    return () => {
      stop();
      store.setActions(store.actions.filter(action => action.caption !== caption));
    };
  }, [store, way?.caption, way?.to]);
  return null;
}
