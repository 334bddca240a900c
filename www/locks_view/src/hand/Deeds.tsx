// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Deed} from './deed';
import {useHand} from './Hand';

/** Buttons for what can be done here; none for one who cannot do anything. */
export function Deeds({deeds}: {deeds: Deed[]}) {
  const {me, open} = useHand();
  return me === null || deeds.length === 0 ? null : (
    <span className="bb-locks-deeds">
      {deeds.map(deed => (
        <button
          key={deed.verb}
          type="button"
          aria-label={`${deed.verb} ${deed.object}`}
          aria-haspopup="dialog"
          onClick={() => open(deed)}
        >
          {deed.verb}
        </button>
      ))}
    </span>
  );
}
