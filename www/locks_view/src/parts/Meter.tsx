// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';

interface Props {
  used: number;
  capacity: number;
}

/** Used of so many, in figures and as a bar. */
export function Meter({used, capacity}: Props) {
  const share = capacity > 0 ? Math.min(1, used / capacity) : 0;
  return (
    <span className="bb-locks-meter">
      <span>
        {used.toLocaleString()} of {capacity.toLocaleString()}
      </span>
      <span className="bb-locks-bar" aria-hidden="true">
        <span style={{width: `${100 * share}%`}} />
      </span>
    </span>
  );
}
