// SPDX-License-Identifier: GPL-2.0-only
import React, {useId, useState} from 'react';
import {useAnswer} from '../answer';
import {Point} from '../entities';
import {useEvents} from '../events';
import {clock} from '../text';
import {FailureNote} from './Failure';

const HOURS: [number, string][] = [
  [1, 'hour'],
  [6, '6 hours'],
  [24, '24 hours'],
  [168, '7 days'],
];

/** A point is no less than half a minute. */
const PAUSE = 30000;

const WIDTH = 1000;
const HEIGHT = 100;

/** The outline of steps, one for each value, from the left edge to the right one. */
export function outline(values: number[], most: number): string {
  const step = WIDTH / values.length;
  return values
    .map((value, index) => {
      const y = HEIGHT * (1 - (most > 0 ? Math.min(value, most) / most : 0));
      return `${index === 0 ? 'M' : 'L'}${round(index * step)} ${round(y)}H${round((index + 1) * step)}`;
    })
    .join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** When the first point begins, half of them are over, and the last one ends. */
export function edges(points: Pick<Point, 'at'>[]): number[] {
  const first = points[0].at;
  const last = points[points.length - 1].at;
  const step = points.length > 1 ? (last - first) / (points.length - 1) : 0;
  return [first, (first + last + step) / 2, last + step];
}

interface ChartProps {
  name: string;
  className: string;
  points: Point[];
  value(point: Point): number;
  most: number;
}

function Chart({name, className, points, value, most}: ChartProps) {
  const values = points.map(value);
  const line = outline(values, most);
  const step = WIDTH / points.length;
  const now = points[points.length - 1].at;
  const peak = Math.max(...values);
  const figure = (number: number) => number.toLocaleString([], {maximumFractionDigits: 1});
  return (
    <figure className={`bb-locks-chart ${className}`}>
      <figcaption>{name}</figcaption>
      <span className="bb-locks-most" aria-hidden="true">
        {figure(most)}
      </span>
      <svg
        role="img"
        aria-label={`${name}: at most ${figure(peak)} of ${figure(most)}, ${figure(values[values.length - 1])} at the end`}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        <path className="bb-locks-area" d={`${line}V${HEIGHT}H0Z`} />
        <path className="bb-locks-line" d={line} />
        {points.map((point, index) => (
          <rect key={point.at} className="bb-locks-slot" x={index * step} width={step} height={HEIGHT}>
            <title>{`${clock(point.at, now)}: ${figure(values[index])}`}</title>
          </rect>
        ))}
      </svg>
    </figure>
  );
}

/** The last hours of a lock: what was in use, and who waited. */
export function Timeline({lockid}: {lockid: number}) {
  const [hours, setHours] = useState(6);
  const label = useId();
  const path = `locks/${lockid}/timeline/${hours}`;
  const {rows, known, failure, refresh} = useAnswer<Point>(path, 'points', {}, PAUSE);
  useEvents([`locks/${lockid}/copies/*/*`], refresh);
  const capacity = Math.max(0, ...rows.map(point => Math.max(point.capacity, point.used)));
  const waiting = Math.max(1, ...rows.map(point => Math.ceil(point.waiting)));
  return (
    <section aria-labelledby={label}>
      <h2 id={label}>
        The last{' '}
        <select
          aria-label="How many hours"
          value={hours}
          onChange={event => setHours(Number(event.target.value))}
        >
          {HOURS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </h2>
      <FailureNote failure={failure === 'failed' ? failure : null} />
      {(known || failure === 'missing') && rows.length === 0 && <p className="bb-locks-nothing">Nobody used it in this time, as far as is known.</p>}
      {rows.length > 0 && (
        <div className="bb-locks-timeline">
          <Chart
            name="In use"
            className="bb-locks-used"
            points={rows}
            value={point => point.used}
            most={capacity}
          />
          <Chart
            name="Waiting"
            className="bb-locks-waiting"
            points={rows}
            value={point => point.waiting}
            most={waiting}
          />
          <div className="bb-locks-axis" aria-hidden="true">
            {edges(rows).map(at => (
              <span key={at}>{clock(at, edges(rows)[2])}</span>
            ))}
          </div>
        </div>
      )}
    </section>
  );
}
