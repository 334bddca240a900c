// SPDX-License-Identifier: GPL-2.0-only
import {RestClient} from 'buildbot-data-js';
import {Copy, Holder, Waiter} from '../entities';
import {Target, targetOf, UNUSED} from './target';

/** How a copy is now. */
export interface Present {
  target: Target;
  /** Null if nobody uses it. */
  copy: Copy | null;
  holders: Holder[];
  waiters: Waiter[];
}

/** Who is named before the rest is only counted. */
const NAMED = {limit: 5};

/** By what a copy is found that had no row when it was seen. */
const SCOPES = ['worker', 'branch', 'key'];

/** Ask how a copy is now; null is answered if that is what was seen. */
export async function presentOf(client: RestClient, seen: Target): Promise<Present | null> {
  const copy = seen.copyid === null ? await sought(client, seen) : await known(client, seen.copyid);
  if (copy === null) {
    const target = seen.of === null ? seen : {...seen, copyid: null, version: UNUSED};
    return seen.copyid === null ? null : {target, copy, holders: [], waiters: []};
  }
  const path = `copies/${copy.copyid}`;
  const [{holders}, {waiters}] = await Promise.all([
    client.get(`${path}/holders`, NAMED),
    client.get(`${path}/waiters`, NAMED),
  ]);
  const target = targetOf(copy, [...holders, ...waiters]);
  return target.version === seen.version ? null : {target, copy, holders, waiters};
}

async function known(client: RestClient, copyid: number): Promise<Copy | null> {
  try {
    return (await client.get(`copies/${copyid}`)).copies[0] ?? null;
  } catch (reason: any) {
    if (reason?.response?.status === 404) {
      return null;
    }
    throw reason;
  }
}

async function sought(client: RestClient, {lockid, of, codebase}: Target): Promise<Copy | null> {
  const rest = {limit: 1, ...(codebase === null ? {} : {codebase})};
  const answers = await Promise.all(
    SCOPES.map(scope => client.get(`locks/${lockid}/copies`, {...rest, [scope]: of})),
  );
  return answers.flatMap(({copies}) => copies)[0] ?? null;
}
