// SPDX-License-Identifier: GPL-2.0-only
// What is asked of a person: each says what is wrong with it, beside it.
import {useCurrentTime} from 'buildbot-ui';
import {observer} from 'mobx-react';
import React, {ReactNode, useId} from 'react';
import {useAnswer} from '../answer';
import {Lock} from '../entities';
import {span} from '../text';
import {Field, InputProps} from './deed';
import {read, shortcuts, written} from './ends';

interface LabelledProps {
  label: string;
  fault: string | null;
  hint?: ReactNode;
  /** The input, with what binds it to its label and its texts. */
  children(words: {id: string; 'aria-describedby': string; 'aria-invalid': boolean}): ReactNode;
}

function Labelled({label, fault, hint, children}: LabelledProps) {
  const id = useId();
  const words = {id, 'aria-describedby': `${id}text`, 'aria-invalid': fault !== null};
  return (
    <div className="bb-locks-field">
      <label htmlFor={id}>{label}</label>
      {children(words)}
      <p id={`${id}text`} className={fault === null ? 'bb-locks-faint' : 'bb-locks-fault'}>
        {fault ?? hint}
      </p>
    </div>
  );
}

function textField(name: string, label: string, needed: string | null): Field<string> {
  return {
    name,
    first: () => '',
    fault: value => (value.trim() === '' ? needed : null),
    params: value => (value.trim() === '' ? {} : {[name]: value.trim()}),
    Input: ({value, change, fault}) => (
      <Labelled label={label} fault={fault}>
        {words => (
          <input {...words} autoComplete="off" value={value} onChange={event => change(event.target.value)} />
        )}
      </Labelled>
    ),
  };
}

export const REASON = textField('reason', 'Why', 'Say why: everyone who waits sees it.');

export const MAYBE_REASON = textField('reason', 'Why (optional)', null);

export const PERSON = textField('person', 'To whom', 'Say to whom.');

/**
 * The end of a hold.
 *
 * @param from the end that there is, which is put off; null if there is none yet.
 * @param most for how many seconds it may be held from now on; null if nothing is known of it.
 */
export function untilField(from: number | null, most: number | null): Field<number> {
  const length = most ?? Infinity;
  const latest = (now: number) => now + length;
  return {
    name: 'until',
    first: now => Math.min(Math.max(now, from ?? 0) + 3600, latest(now)),
    fault: (value, now) => {
      if (Number.isNaN(value)) {
        return 'Say until when.';
      }
      if (value <= now) {
        return 'That is in the past.';
      }
      return value > latest(now) ? `Nobody may hold it for longer than ${span(length)}.` : null;
    },
    params: value => ({until: value}),
    Input: observer(({value, change, fault}: InputProps<number>) => {
      const now = useCurrentTime();
      const minutes = Math.ceil((value - now) / 60);
      const hint = minutes > 0 ? `for ${span(60 * minutes)} from now` : null;
      return (
        <Labelled label="Until" fault={fault} hint={hint}>
          {words => (
            <div className="bb-locks-until">
              <input
                {...words}
                type="datetime-local"
                value={written(value)}
                onChange={event => change(read(event.target.value))}
              />
              {shortcuts(now, from, latest(now)).map(({name, time}) => (
                <button key={name} type="button" onClick={() => change(time)}>
                  {name}
                </button>
              ))}
            </div>
          )}
        </Labelled>
      );
    }),
  };
}

interface Share {
  mode: 'exclusive' | 'counting';
  units: string;
}

const MODES: [Share['mode'], string][] = [
  ['exclusive', 'all of it'],
  ['counting', 'units of it'],
];

/**
 * How much is held.
 *
 * @param capacity how many units there are; null if nothing is known of it.
 */
export function shareField(capacity: number | null): Field<Share> {
  return {
    name: 'share',
    first: () => ({mode: 'exclusive', units: '1'}),
    fault: ({mode, units}) => {
      const count = Number(units);
      if (mode === 'exclusive' || (Number.isInteger(count) && count >= 1 && count <= (capacity ?? count))) {
        return null;
      }
      return capacity === null
        ? 'Say how many units, at least 1.'
        : `Say how many units, from 1 to ${capacity.toLocaleString()}.`;
    },
    params: ({mode, units}) => (mode === 'exclusive' ? {mode} : {mode, units: Number(units)}),
    Input: ({value, change, fault}) => {
      const name = useId();
      return (
        <fieldset className="bb-locks-field">
          <legend>How much</legend>
          <div className="bb-locks-share">
            {MODES.map(([mode, words]) => (
              <label key={mode}>
                <input
                  type="radio"
                  name={name}
                  checked={value.mode === mode}
                  onChange={() => change({...value, mode})}
                />{' '}
                {words}
              </label>
            ))}
            {value.mode === 'counting' && (
              <input
                type="number"
                aria-label="How many units"
                aria-describedby={`${name}text`}
                aria-invalid={fault !== null}
                min={1}
                max={capacity ?? undefined}
                value={value.units}
                onChange={event => change({...value, units: event.target.value})}
              />
            )}
          </div>
          <p id={`${name}text`} className="bb-locks-fault">
            {fault}
          </p>
        </fieldset>
      );
    },
  };
}

/** Of which worker, branch or key a copy is that nobody uses. */
export interface Which {
  of: string;
  codebase: string;
}

export function whichField(kind: Lock['kind']): Field<Which> {
  const ofWorker = kind === 'worker';
  return {
    name: 'which',
    first: () => ({of: '', codebase: ''}),
    fault: ({of}) =>
      of.trim() === '' ? `Say which ${ofWorker ? 'worker' : 'branch'} the copy is for.` : null,
    params: () => ({}),
    aim: (target, {of, codebase}) => ({
      ...target,
      of: of.trim(),
      codebase: codebase.trim() || null,
    }),
    Input: ({value, change, fault}) => (
      <>
        <Labelled label={ofWorker ? 'Worker' : 'Branch, or key'} fault={fault}>
          {words => (
            <>
              <input
                {...words}
                autoComplete="off"
                list={ofWorker ? `${words.id}list` : undefined}
                value={value.of}
                onChange={event => change({...value, of: event.target.value})}
              />
              {ofWorker && <Workers id={`${words.id}list`} />}
            </>
          )}
        </Labelled>
        {!ofWorker && (
          <Labelled label="Codebase (if the lock has one copy for each)" fault={null}>
            {words => (
              <input
                {...words}
                autoComplete="off"
                value={value.codebase}
                onChange={event => change({...value, codebase: event.target.value})}
              />
            )}
          </Labelled>
        )}
      </>
    ),
  };
}

/** Names that may be meant. */
function Workers({id}: {id: string}) {
  const {rows} = useAnswer<{name: string}>('workers', 'workers', {field: 'name', order: 'name'});
  return (
    <datalist id={id}>
      {rows.map(({name}) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}
