// SPDX-License-Identifier: GPL-2.0-only
import React, {useEffect} from 'react';
import {useParams} from 'react-router-dom';
import {useAnswer} from '../answer';
import {Copy, Holder, Waiter} from '../entities';
import {useEvents} from '../events';
import {Deeds} from '../hand/Deeds';
import {deedsOfCopy} from '../hand/deeds';
import {Hand} from '../hand/Hand';
import {targetOf} from '../hand/target';
import {useListing} from '../listing';
import {Actions} from '../parts/Actions';
import {FailureNote} from '../parts/Failure';
import {Frame} from '../parts/Frame';
import {Meter} from '../parts/Meter';
import {Name} from '../parts/Name';
import {QuarantineNote} from '../parts/Quarantine';
import {Standing} from '../parts/Standing';
import {Age} from '../parts/Time';
import {Uses} from '../parts/Uses';
import {waits} from '../text';
import {Scope} from './LockView';

/** One copy of a lock: who holds it and who waits for it. */
export function CopyView() {
  const {lockid, copyid} = useParams<'lockid' | 'copyid'>();
  return <CopyPage key={copyid} lockid={Number(lockid)} copyid={Number(copyid)} />;
}

function CopyPage({lockid, copyid}: {lockid: number; copyid: number}) {
  const path = `copies/${copyid}`;
  const answer = useAnswer<Copy>(path, 'copies');
  const holders = useListing<Holder>(`${path}/holders`, 'holders', {});
  const waiters = useListing<Waiter>(`${path}/waiters`, 'waiters', {sought: 'text'});
  // what happens to a resource is told of its pool
  const of = answer.rows[0]?.scope === 'resource' ? '*' : copyid;
  const events = `locks/${lockid}/copies/${of}/*`;
  useEvents([events], (copy: Copy) => {
    if (copy.copyid === copyid) {
      answer.change(copy, () => true);
    } else {
      answer.refresh();
    }
    if (answer.failure !== null) {
      answer.refresh();
    }
    holders.refresh();
    waiters.refresh();
  });
  const changed = () => [answer, holders, waiters].forEach(each => each.refresh());
  useEffect(() => {
    // what was told of the pool before it was known to be one was not heard
    if (of === '*') {
      changed();
    }
  }, [of]);
  const copy = answer.rows[0];
  return (
    <Frame
      title={copy === undefined ? 'Copy of a lock' : <Name text={copy.name} />}
      trail={[
        [copy?.lock ?? `${lockid}`, `/locks/${lockid}`],
        [copy?.name ?? `${copyid}`, `/locks/${lockid}/copies/${copyid}`],
      ]}
    >
      <Hand changed={changed}>
        {answer.failure === 'missing' ? (
          <p className="bb-locks-nothing">Nobody holds this copy, and nobody waits for it.</p>
        ) : (
          <FailureNote failure={answer.failure} />
        )}
        {copy !== undefined && (
          <>
            <p className="bb-locks-sum">
              of <Scope copy={copy} /> · <Meter used={copy.used} capacity={copy.capacity} />
              {copy.exclusive && ', exclusively'} · {waits(copy.waiting)}
              {copy.oldest_wait_at !== null && (
                <>
                  , the oldest for <Age since={copy.oldest_wait_at} />
                </>
              )}
            </p>
            <QuarantineNote copy={copy} />
            <Deeds deeds={deedsOfCopy(copy, targetOf(copy, [...holders.rows, ...waiters.rows]))} />
            <Standing holders={holders} waiters={waiters} many={false} />
          </>
        )}
        <Actions path={path} lock={copy?.lock ?? null} many={false} />
        <Uses path={path} events={events} />
      </Hand>
    </Frame>
  );
}
