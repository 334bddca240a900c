// SPDX-License-Identifier: GPL-2.0-only
// All that a person can do to a copy, to who holds it, and to who waits for it.
import {Copy, Holder, Lock, Owner, Waiter} from '../entities';
import {cut, shown} from '../text';
import {Deed, Field} from './deed';
import {MAYBE_REASON, PERSON, REASON, shareField, untilField, whichField} from './fields';
import {Target, targetOfOwner, unusedTarget} from './target';

const plain = (name: string) => cut(shown(name), 60);

const HOLD_DONE: Record<string, string | undefined> = {
  held: 'it is yours.',
  waiting: 'you are in line for it.',
};

/** Of a copy that has a row. */
export function hold(copy: Copy, target: Target): Deed {
  return holding(target, plain(copy.name), [
    ...(copy.capacity === 1 ? [] : [shareField(copy.capacity)]),
    untilField(null, copy.max_hold),
  ]);
}

/** Of a copy that nobody uses, and that has no row. */
export function holdUnused(lock: Lock): Deed {
  const fields = [whichField(lock.kind), shareField(null), untilField(null, null)];
  return holding(unusedTarget(lock), `a copy of ${plain(lock.name)}`, fields);
}

function holding(target: Target, object: string, fields: Field[]): Deed {
  return {
    method: 'hold',
    verb: 'Hold',
    object,
    target,
    effect:
      'You wait in line for it as builds do. Once you hold it, no build gets it until you release it. When its time is over, the hold ends by itself only if the lock says so; otherwise it is overdue.',
    fields: [...fields, REASON],
    params: {},
    done: answer => HOLD_DONE[answer?.state] ?? 'it is asked for.',
  };
}

export function quarantine(copy: Copy, target: Target): Deed {
  return quarantining(target, plain(copy.name), []);
}

export function quarantineUnused(lock: Lock): Deed {
  const fields = [whichField(lock.kind)];
  return quarantining(unusedTarget(lock), `a copy of ${plain(lock.name)}`, fields);
}

function quarantining(target: Target, object: string, fields: Field[]): Deed {
  return {
    method: 'quarantine',
    verb: 'Quarantine',
    object,
    target,
    effect: 'Nobody gets it until somebody restores it. Whoever holds it now keeps it until they release it.',
    fields: [...fields, REASON],
    params: {},
    done: () => 'it is in quarantine, or will be once it is released.',
  };
}

/** Of a copy in quarantine. */
export function restore(name: string, target: Target): Deed {
  return {
    method: 'restore',
    verb: 'Restore',
    object: plain(name),
    target,
    effect: 'Its quarantine ends, and the next in line gets it.',
    fields: [REASON],
    params: {},
    done: () => 'it is in use again.',
  };
}

/** What concerns a hold by hand: whose it is, and of what. */
function ofHold(owner: Owner): string {
  return `${plain(owner.person ?? owner.text)}’s hold of ${plain(owner.copy)}`;
}

export function extend(owner: Owner): Deed {
  return {
    method: 'extend',
    verb: 'Extend',
    object: ofHold(owner),
    target: targetOfOwner(owner),
    effect: 'It gets a new end, later or sooner.',
    fields: [untilField(owner.until_at, null), MAYBE_REASON],
    params: {holdid: owner.holdid},
    done: () => 'it has a new end.',
  };
}

export function handOver(owner: Owner): Deed {
  return {
    method: 'handover',
    verb: 'Hand over',
    object: ofHold(owner),
    target: targetOfOwner(owner),
    effect: 'It belongs to another person from now on, and keeps its end.',
    fields: [PERSON, MAYBE_REASON],
    params: {holdid: owner.holdid},
    done: () => 'it is handed over.',
  };
}

export function release(owner: Owner): Deed {
  return {
    method: 'release',
    verb: 'Release',
    object: ofHold(owner),
    target: targetOfOwner(owner),
    effect: 'It ends now, and the next in line gets what it held.',
    fields: [MAYBE_REASON],
    params: {holdid: owner.holdid},
    done: () => 'it is released.',
  };
}

/** Release a hold that still waits. */
export function withdraw(owner: Owner): Deed {
  return {
    ...release(owner),
    verb: 'Withdraw',
    effect: 'It leaves the line.',
    done: () => 'it no longer waits.',
  };
}

/** End what somebody holds: a build, or another person. */
export function kick(holder: Holder): Deed {
  const build = `${plain(holder.builder ?? '')} #${holder.number}`;
  const worker = holder.worker === null ? '' : ` on ${plain(holder.worker)}`;
  const ofPerson = holder.kind === 'person';
  return {
    method: 'kick',
    verb: 'Kick',
    object: ofPerson ? ofHold(holder) : plain(holder.text),
    target: targetOfOwner(holder),
    effect: ofPerson
      ? 'It ends now, though it is not yours, and the next in line gets what it held.'
      : `The build ${build}${worker} will be stopped, because it holds ${plain(holder.copy)}.` +
        ' Its steps that always run still do; then it releases its locks.',
    fields: [REASON],
    params: {holderid: holder.holderid},
    done: () => (ofPerson ? 'it has ended.' : 'the build is being stopped.'),
  };
}

export function first(waiter: Waiter): Deed {
  return {
    method: 'first',
    verb: 'First',
    object: plain(waiter.text),
    target: targetOfOwner(waiter),
    effect: `It goes to the front of the line for ${plain(waiter.copy)}.`,
    fields: [REASON],
    params: {waiterid: waiter.waiterid},
    done: () => 'it is at the front.',
  };
}

export function back(waiter: Waiter): Deed {
  return {
    method: 'back',
    verb: 'Back',
    object: plain(waiter.text),
    target: targetOfOwner(waiter),
    effect: `It goes back to the place in the line for ${plain(waiter.copy)} that is its own.`,
    fields: [MAYBE_REASON],
    params: {waiterid: waiter.waiterid},
    done: () => 'it has its own place again.',
  };
}

/** What somebody can do to one who holds. */
export function deedsOfHolder(holder: Holder, me: string | null): Deed[] {
  switch (holder.kind) {
    case 'person':
      return holder.person === me
        ? [extend(holder), release(holder), handOver(holder)]
        : [kick(holder)];
    case 'quarantine':
      return [restore(holder.copy, targetOfOwner(holder))];
    default:
      return holder.buildid === null ? [] : [kick(holder)];
  }
}

/** What somebody can do to one who waits. */
export function deedsOfWaiter(waiter: Waiter, me: string | null): Deed[] {
  if (waiter.kind === 'quarantine') {
    return [restore(waiter.copy, targetOfOwner(waiter))];
  }
  return [
    ...(waiter.first_at !== null ? [back(waiter)] : waiter.place > 1 ? [first(waiter)] : []),
    ...(waiter.kind === 'person' && waiter.person === me
      ? [extend(waiter), withdraw(waiter), handOver(waiter)]
      : []),
  ];
}

/** What can be done to a copy. */
export function deedsOfCopy(copy: Copy, target: Target): Deed[] {
  return [
    hold(copy, target),
    copy.quarantined_at === null ? quarantine(copy, target) : restore(copy.name, target),
  ];
}
