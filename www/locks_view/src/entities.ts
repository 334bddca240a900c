// SPDX-License-Identifier: GPL-2.0-only
// What the data API tells of locks, as it comes. Times are seconds of the epoch.

export interface Lock {
  lockid: number;
  name: string;
  kind: 'master' | 'worker' | 'branch' | 'pool';
  copies: number;
  used: number;
  capacity: number;
  waiting: number;
  oldest_wait_at: number | null;
  /** How many of its copies are in quarantine. */
  quarantined: number;
}

export interface Copy {
  copyid: number;
  lockid: number;
  lock: string;
  name: string;
  scope: 'master' | 'worker' | 'branch' | 'key' | 'resource';
  worker: string | null;
  workerid: number | null;
  branch: string | null;
  codebase: string | null;
  /** Of a resource of a pool, its name. */
  key: string | null;
  /** Of a resource of a pool; of others there are none. */
  labels?: string[];
  capacity: number;
  used: number;
  exclusive: boolean;
  waiting: number;
  oldest_wait_at: number | null;
  /** Of what matters to one who acts on it; every action says which one its person has seen. */
  version: string;
  quarantined_at: number | null;
  quarantined_by: string | null;
  quarantine_reason: string | null;
  /** Seconds for which somebody may hold it by hand, if that is limited. */
  max_hold: number | null;
}

export interface Owner {
  copyid: number;
  lockid: number;
  copy: string;
  /** 'person' if it is held by hand, 'quarantine' if it is out of use; else a build or a part of one. */
  kind: string;
  text: string;
  /** Of the copy, when this was told. */
  version: string;
  holdid: number | null;
  person: string | null;
  reason: string | null;
  until_at: number | null;
  overdue: boolean;
  builderid: number | null;
  builder: string | null;
  buildrequestid: number | null;
  buildid: number | null;
  number: number | null;
  stepid: number | null;
  step_number: number | null;
  worker: string | null;
  workerid: number | null;
  branch: string | null;
  mode: 'counting' | 'exclusive';
  units: number;
  since_at: number | null;
  priority: number;
  nested: boolean;
  /** What it has got of a pool. */
  resources?: {name: string; labels: string[]}[];
}

export interface Holder extends Owner {
  holderid: number | string;
}

export interface Waiter extends Owner {
  waiterid: number | string;
  place: number;
  /** When it was moved to the front, if it was. */
  first_at: number | null;
  estimate_at?: number | null;
  estimate_from?: number | null;
  estimate_until?: number | null;
}

export interface Reason {
  reasonid: number;
  kind: string;
  text: string;
  buildrequestids: number[];
  lockid: number | null;
  copyid: number | null;
  copy: string | null;
  worker: string | null;
  workerid: number | null;
  since_at: number | null;
  again_at: number | null;
}

export interface Use {
  useid: number;
  lockid: number;
  copyid: number;
  copy: string;
  text: string;
  buildrequestid: number | null;
  waiting_since: number | null;
  held_since: number | null;
  until: number;
  result: 'released' | 'left' | 'lost' | 'deadlock';
}

/** What a person has done to a copy, or what has come of it. */
export interface Action {
  actionid: number;
  lock: string;
  copy: string;
  at: number;
  who: string | null;
  action: string;
  reason: string;
  text: string;
}

export interface Point {
  at: number;
  used: number;
  waiting: number;
  capacity: number;
}

export interface Cost {
  lockid: number;
  lock: string;
  builderid: number | null;
  builder: string | null;
  waits: number;
  waited: number;
  wait_median: number;
  wait_p95: number;
  holds: number;
  held: number;
  hold_median: number;
  hold_p95: number;
}
