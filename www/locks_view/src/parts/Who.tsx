// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Holder, Owner, Waiter} from '../entities';
import {OwnerLink} from './links';
import {Name} from './Name';
import {Tag} from './Tag';
import {Age, Clock} from './Time';

/** Who holds: a build or a part of one, a person, or nobody for as long as it is in quarantine. */
export function HolderCell({holder}: {holder: Holder}) {
  return (
    <>
      <Who owner={holder} />
      <ByHand owner={holder} />
    </>
  );
}

/** Who waits, and at which place. */
export function WaiterCell({waiter}: {waiter: Waiter}) {
  return (
    <>
      <span className="bb-locks-place">{waiter.place}.</span> <Who owner={waiter} />
      {waiter.first_at !== null && (
        <>
          {' '}
          <Tag>
            put first, <Age since={waiter.first_at} /> ago
          </Tag>
        </>
      )}
      <ByHand owner={waiter} />
    </>
  );
}

function Who({owner}: {owner: Owner}) {
  switch (owner.kind) {
    case 'person':
      return (
        <>
          <Name text={owner.person ?? owner.text} /> <Tag>by hand</Tag>
        </>
      );
    case 'quarantine':
      return (
        <>
          <Tag alarming>quarantine</Tag>
          {owner.person !== null && (
            <>
              {' '}
              by <Name text={owner.person} />
            </>
          )}
        </>
      );
    default:
      return <OwnerLink owner={owner} />;
  }
}

/** Until when, and why. */
function ByHand({owner}: {owner: Owner}) {
  const {until_at, reason, overdue} = owner;
  if (until_at === null && reason === null) {
    return null;
  }
  return (
    <div className="bb-locks-why">
      {until_at !== null && (
        <>
          until <Clock at={until_at} />
          {overdue && (
            <>
              {' '}
              <Tag alarming>overdue</Tag>
            </>
          )}
          {reason !== null && ' · '}
        </>
      )}
      {reason !== null && <Name text={reason} most={120} />}
    </div>
  );
}
