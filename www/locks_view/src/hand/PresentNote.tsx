// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Owner} from '../entities';
import {Name} from '../parts/Name';
import {QuarantineNote} from '../parts/Quarantine';
import {Age, Clock} from '../parts/Time';
import {plural} from '../text';
import {Present} from './present';

/** How the copy is now, for one who has seen it otherwise. */
export function PresentNote({present: {copy, holders, waiters}}: {present: Present}) {
  return (
    <div className="bb-locks-present">
      <h3>How it is now</h3>
      {copy === null ? (
        <p>Nobody holds this copy, and nobody waits for it.</p>
      ) : (
        <>
          <QuarantineNote copy={copy} />
          <p>
            {copy.used.toLocaleString()} of {copy.capacity.toLocaleString()} in use
            {copy.exclusive && ', exclusively'}.
          </p>
          <Owners words="Held by:" owners={holders} />
          <Owners words="Waiting:" owners={waiters} />
          {copy.waiting > waiters.length && (
            <p>{plural(copy.waiting, 'waits', 'wait')} in all.</p>
          )}
        </>
      )}
    </div>
  );
}

function Owners({words, owners}: {words: string; owners: Owner[]}) {
  return owners.length === 0 ? null : (
    <>
      <p>{words}</p>
      <ul>
        {owners.map((owner, index) => (
          <li key={index}>
            <Name text={owner.text} />
            {owner.until_at !== null && (
              <>
                , until <Clock at={owner.until_at} />
              </>
            )}
            {owner.since_at !== null && (
              <>
                , for <Age since={owner.since_at} />
              </>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
