// SPDX-License-Identifier: GPL-2.0-only
import {Copy, Lock, Owner} from '../entities';

/** The copy to which something is to be done, as it was seen. */
export interface Target {
  lockid: number;
  /** Null of a copy that nobody uses: it has no row. */
  copyid: number | null;
  /** Of which worker or branch it is, for when it has no row; null for the only copy of a lock. */
  of: string | null;
  codebase: string | null;
  /** What people call it. */
  name: string;
  version: string;
}

/** The version of a copy that nobody holds or has taken out of use. */
export const UNUSED = '0-0-0';

/**
 * A copy, of which somebody has seen these holders and waiters.
 *
 * They are told apart from it. As long as one of them was told before the last change, that change
 * has not been seen.
 */
export function targetOf(copy: Copy, owners: Owner[]): Target {
  const late = owners.find(
    owner => owner.copyid === copy.copyid && owner.version !== copy.version,
  );
  return {
    lockid: copy.lockid,
    copyid: copy.copyid,
    of: copy.worker ?? copy.branch ?? copy.key,
    codebase: copy.codebase,
    name: copy.name,
    version: late?.version ?? copy.version,
  };
}

/** The copy that somebody holds, or waits for. */
export function targetOfOwner(owner: Owner): Target {
  const {lockid, copyid, copy, version} = owner;
  return {lockid, copyid, of: null, codebase: null, name: copy, version};
}

/** A copy of which nobody has seen more than that there is none in use. */
export function unusedTarget(lock: Lock): Target {
  const {lockid, name} = lock;
  return {lockid, copyid: null, of: null, codebase: null, name, version: UNUSED};
}
