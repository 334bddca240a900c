// SPDX-License-Identifier: GPL-2.0-only
import {DataClientContext} from 'buildbot-data-js';
import {useCurrentTime} from 'buildbot-ui';
import {observer} from 'mobx-react';
import React, {FormEvent, useContext, useEffect, useRef, useState} from 'react';
import {Name} from '../parts/Name';
import {Deed} from './deed';
import {Dialog} from './Dialog';
import {Present, presentOf} from './present';
import {PresentNote} from './PresentNote';
import {refusalOf} from './refusal';
import {Target} from './target';

interface Props {
  deed: Deed;
  /** The dialog is not wanted any more. */
  closed(): void;
  /** The master has done it, and answers this. */
  done(answer: any): void;
  /** The master has not done it, and says why; what is on the page may not be true any more. */
  refused(sentence: string): void;
}

/**
 * Asks what there is to ask, and has it done.
 *
 * What is sent is the version of what its person has seen: on the page when the dialog was opened or,
 * after the master has said that this is not true any more, in the dialog itself.
 */
export const DeedDialog = observer(({deed, closed, done, refused}: Props) => {
  const client = useContext(DataClientContext);
  const now = useCurrentTime();
  const [values, setValues] = useState<Record<string, any>>(() =>
    Object.fromEntries(deed.fields.map(field => [field.name, field.first(now)])),
  );
  const [tries, setTries] = useState(0);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [present, setPresent] = useState<Present | null>(null);
  const form = useRef<HTMLFormElement>(null);
  // two presses may come before the button is drawn anew
  const underWay = useRef(false);

  const faults = deed.fields.map(field => field.fault(values[field.name], now));
  useEffect(() => {
    // who cannot see the page is led to what is wrong
    form.current!.querySelector<HTMLElement>('[aria-invalid=true], [role=alert]')?.focus();
  }, [tries, refusal]);

  function change(name: string, value: unknown) {
    setValues(old => ({...old, [name]: value}));
    if (deed.fields.some(field => field.name === name && field.aim !== undefined)) {
      // of this other copy nothing has been seen
      setRefusal(null);
      setPresent(null);
    }
  }

  function aimed(): Target {
    return deed.fields.reduce(
      (target, field) => field.aim?.(target, values[field.name]) ?? target,
      deed.target,
    );
  }

  async function act() {
    const params = deed.fields.map(field => field.params(values[field.name]));
    const seen = present?.target ?? aimed();
    const {path, words} = addressOf(seen);
    try {
      const asked = Object.assign(words, deed.params, ...params);
      done((await client.control(path, deed.method, asked)).result);
    } catch (reason) {
      const sentence = refusalOf(reason);
      refused(sentence);
      const news = await presentOf(client.restClient, seen).catch(() => null);
      setPresent(old => news ?? old);
      setRefusal(sentence);
    }
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTries(tries + 1);
    if (underWay.current || faults.some(fault => fault !== null)) {
      return;
    }
    underWay.current = true;
    setBusy(true);
    setRefusal(null);
    await act();
    underWay.current = false;
    setBusy(false);
  }

  return (
    <Dialog
      title={
        <>
          {deed.verb} <Name text={deed.object} most={80} />
        </>
      }
      closed={closed}
    >
      <form
        ref={form}
        noValidate
        onSubmit={submit}
        // a key that is kept down is pressed once
        onKeyDown={event => event.key === 'Enter' && event.repeat && event.preventDefault()}
      >
        <p>{deed.effect}</p>
        {deed.fields.map(({name, Input}, index) => (
          <Input
            key={name}
            value={values[name]}
            change={value => change(name, value)}
            fault={tries > 0 ? faults[index] : null}
          />
        ))}
        {refusal !== null && (
          <p className="bb-locks-failure" role="alert" tabIndex={-1}>
            <Name text={refusal} most={500} />
          </p>
        )}
        {present !== null && <PresentNote present={present} />}
        <div className="bb-locks-choice">
          <button
            type="submit"
            className="bb-locks-main"
            disabled={busy}
            // so is one that is pressed twice at once: between two presses somebody has to look
            onClick={event => event.detail > 1 && event.preventDefault()}
          >
            {deed.verb}
          </button>
          <button type="button" onClick={closed}>
            {busy ? 'Close' : 'Cancel'}
          </button>
        </div>
      </form>
    </Dialog>
  );
});

/** Where something is asked for that is to be done to a copy, and what says which copy it is. */
function addressOf({lockid, copyid, of, codebase, version}: Target) {
  return copyid === null
    ? {
        path: `locks/${lockid}`,
        words: {version, ...(of !== null && {of}), ...(codebase !== null && {codebase})},
      }
    : {path: `copies/${copyid}`, words: {version}};
}
