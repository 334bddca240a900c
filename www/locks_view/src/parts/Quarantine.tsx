// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Copy} from '../entities';
import {Name} from './Name';
import {Age} from './Time';

/** A sentence that somebody has given. */
const MOST = 300;

/** That a copy is out of use, who has done it, why and when. */
export function QuarantineNote({copy}: {copy: Copy}) {
  return copy.quarantined_at === null ? null : (
    <p className="bb-locks-quarantine">
      <strong>In quarantine</strong> for <Age since={copy.quarantined_at} />
      {copy.quarantined_by !== null && (
        <>
          , by <Name text={copy.quarantined_by} />
        </>
      )}
      {copy.quarantine_reason !== null && (
        <>
          : <Name text={copy.quarantine_reason} most={MOST} />
        </>
      )}
    </p>
  );
}
