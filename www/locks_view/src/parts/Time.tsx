// SPDX-License-Identifier: GPL-2.0-only
import {useCurrentTime} from 'buildbot-ui';
import {observer} from 'mobx-react';
import React from 'react';
import {clock, span} from '../text';

function date(time: number): Date {
  return new Date(time * 1000);
}

/** How long ago that was; it ticks. */
export const Age = observer(({since}: {since: number}) => {
  const now = useCurrentTime();
  return (
    <time dateTime={date(since).toISOString()} title={date(since).toLocaleString()}>
      {span(now - since)}
    </time>
  );
});

interface ClockProps {
  at: number;
  from?: number | null;
  until?: number | null;
}

/** A time of the day, and between which two it lies, unless these read the same. */
export const Clock = observer(({at, from = null, until = null}: ClockProps) => {
  const now = useCurrentTime();
  const between = [from, until].map((time) => (time == null ? null : clock(time, now)));
  return (
    <time dateTime={date(at).toISOString()} title={date(at).toLocaleString()}>
      {clock(at, now)}
      {between[0] !== between[1] && !between.includes(null) && (
        <span className="bb-locks-faint"> ({between.join(' – ')})</span>
      )}
    </time>
  );
});
