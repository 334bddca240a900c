// SPDX-License-Identifier: GPL-2.0-only
// A master that answers with what a test gives it, and writes down what it was asked.
import {render} from '@testing-library/react';
import {DataClientContext} from 'buildbot-data-js';
import {ConfigContext, TopbarContext} from 'buildbot-ui';
import React from 'react';
import {MemoryRouter, Route, Routes, useLocation} from 'react-router-dom';
import {Topbar} from './buildbot-ui';

type Rows = (query: any) => any[];

type Answer = (params: any) => any;

/** What Buildbot's client throws for an answer that is no success. */
export function refused(status: number, sentence: string) {
  return {response: {status, data: {error: {code: -32600, message: sentence}}}};
}

export class Master {
  asked: [string, any][] = [];
  /** What it was told to do: path, method and parameters. */
  done: [string, string, any][] = [];
  subscribed: string[] = [];
  private answers = new Map<string, Rows>();
  private listeners = new Set<(event: {k: string; m: any}) => void>();

  /** What a path answers; the rows are cut here, as a master does. */
  knows(path: string, rows: any[] | Rows) {
    this.answers.set(path, typeof rows === 'function' ? rows : () => rows);
    return this;
  }

  /** What it answers when it is told to do something; a thrown answer is a refusal. */
  does: Answer = () => ({});

  control(path: string, method: string, params: any) {
    this.done.push([path, method, params]);
    return Promise.resolve(params).then(this.does).then(result => ({result}));
  }

  tell(key: string, message: any) {
    this.listeners.forEach(listener => listener({k: key, m: message}));
  }

  paths() {
    return this.asked.map(([path]) => path);
  }

  restClient = {
    get: (path: string, query: any = {}) => {
      this.asked.push([path, query]);
      const rows = this.answers.get(path);
      const promise: any =
        rows === undefined
          ? Promise.reject({response: {status: 404}})
          : new Promise<any[]>(resolve => resolve(rows(query))).then(all => ({
              [plural(path)]: all.slice(query.offset ?? 0).slice(0, query.limit ?? all.length),
              meta: {total: all.length},
            }));
      promise.cancel = () => undefined;
      return promise;
    },
  };

  webSocketClient = {
    eventStream: {
      subscribe: (listener: (event: {k: string; m: any}) => void) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    },
    subscribe: (path: string) => {
      this.subscribed.push(path);
      return Promise.resolve();
    },
    unsubscribe: (path: string) => {
      this.subscribed.splice(this.subscribed.indexOf(path), 1);
      return Promise.resolve();
    },
  };
}

/** The key under which the rows stand: the last word that is no number, but for a few. */
function plural(path: string): string {
  const words = path.split('/').filter(word => !/^\d+$/.test(word));
  const last = words[words.length - 1];
  return {timeline: 'points', lockcosts: 'costs', actions: 'lockactions'}[last] ?? last;
}

/** Without these it warns of what another version of it will do. */
const FUTURE = {v7_startTransition: true, v7_relativeSplatPath: true};

function Address() {
  return <output>{useLocation().pathname}</output>;
}

/** Somebody who has not logged in, and somebody who has. */
export const ANONYMOUS = {auth: {name: 'UserPasswordAuth'}, user: {anonymous: true}};
export const ALICE = {auth: {name: 'UserPasswordAuth'}, user: {anonymous: false, username: 'alice'}};

/** A page as Buildbot's interface draws it for somebody, at an address. */
export function visit(
  master: Master,
  address: string,
  route: string,
  page: JSX.Element,
  config: object = ANONYMOUS,
) {
  const topbar = new Topbar();
  const view = render(
    <DataClientContext.Provider value={master as any}>
      <ConfigContext.Provider value={config as any}>
        <TopbarContext.Provider value={topbar as any}>
          <MemoryRouter initialEntries={[address]} future={FUTURE}>
            <Routes>
              <Route path={route} element={page} />
              <Route path="*" element={<></>} />
            </Routes>
            <Address />
          </MemoryRouter>
        </TopbarContext.Provider>
      </ConfigContext.Provider>
    </DataClientContext.Provider>,
  );
  return {...view, topbar};
}

export const LOCK = {
  lockid: 3,
  name: 'jtag',
  kind: 'worker',
  copies: 1,
  used: 1,
  capacity: 1,
  waiting: 1,
  oldest_wait_at: 999_940,
  quarantined: 0,
};

export const COPY = {
  copyid: 7,
  lockid: 3,
  lock: 'jtag',
  name: 'jtag[board-1]',
  scope: 'worker',
  worker: 'board-1',
  workerid: 11,
  branch: null,
  codebase: null,
  key: null,
  capacity: 1,
  used: 1,
  exclusive: true,
  waiting: 1,
  oldest_wait_at: 999_940,
  version: 'v1',
  quarantined_at: null,
  quarantined_by: null,
  quarantine_reason: null,
  max_hold: null,
};

export const OWNER = {
  copyid: 7,
  lockid: 3,
  copy: 'jtag[board-1]',
  kind: 'step',
  text: 'firmware #12 / test/flash',
  version: 'v1',
  holdid: null,
  person: null,
  reason: null,
  until_at: null,
  overdue: false,
  builderid: 5,
  builder: 'firmware',
  buildrequestid: 90,
  buildid: 80,
  number: 12,
  stepid: 70,
  step_number: 4,
  path: 'test/flash',
  worker: 'board-1',
  workerid: 11,
  branch: null,
  mode: 'exclusive',
  units: 1,
  since_at: 999_940,
  priority: 0,
  nested: false,
};

export const HOLDER = {...OWNER, holderid: 1};

export const WAITER = {
  ...OWNER,
  waiterid: 2,
  kind: 'request',
  text: 'nightly request 91',
  builderid: 6,
  builder: 'nightly',
  buildrequestid: 91,
  buildid: null,
  number: null,
  stepid: null,
  step_number: null,
  path: null,
  place: 1,
  first_at: null,
  estimate_at: null,
  estimate_from: null,
  estimate_until: null,
};

/** What a hold by hand has of its own; it is of no build. */
const BY_HAND = {
  kind: 'person',
  text: 'alice',
  holdid: 4,
  person: 'alice',
  reason: 'on my desk',
  until_at: 1_003_600,
  builderid: null,
  builder: null,
  buildrequestid: null,
  buildid: null,
  number: null,
  stepid: null,
  step_number: null,
  path: null,
  worker: null,
  workerid: null,
};

export const PERSON_HOLDER = {...HOLDER, ...BY_HAND, holderid: 'person-4'};

export const PERSON_WAITER = {...WAITER, ...BY_HAND, waiterid: 'person-4', since_at: 999_950};
