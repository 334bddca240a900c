// SPDX-License-Identifier: GPL-2.0-only
import React, {useId} from 'react';
import {useParams} from 'react-router-dom';
import {useAnswer} from '../answer';
import {Copy, Holder, Lock, Waiter} from '../entities';
import {useEvents} from '../events';
import {Deeds} from '../hand/Deeds';
import {deedsOfCopy, holdUnused, quarantineUnused} from '../hand/deeds';
import {Hand, useHand} from '../hand/Hand';
import {Target, targetOf} from '../hand/target';
import {Listing, useListing} from '../listing';
import {Actions} from '../parts/Actions';
import {FailureNote} from '../parts/Failure';
import {Frame} from '../parts/Frame';
import {CopyLink, WorkerLink} from '../parts/links';
import {Meter} from '../parts/Meter';
import {Name} from '../parts/Name';
import {QuarantineNote} from '../parts/Quarantine';
import {Standing} from '../parts/Standing';
import {Table} from '../parts/Table';
import {Tag} from '../parts/Tag';
import {Age} from '../parts/Time';
import {Timeline} from '../parts/Timeline';
import {USAGE} from '../parts/usage';
import {Uses} from '../parts/Uses';
import {plural, waits} from '../text';
import {KINDS} from './LocksView';

/** Rows of the lists that others stand below. */
const SHORT = 20;

/** One lock: its copies, who holds them, who waits, and how it was. */
export function LockView() {
  const lockid = Number(useParams<'lockid'>().lockid);
  return <LockPage key={lockid} lockid={lockid} />;
}

function LockPage({lockid}: {lockid: number}) {
  const path = `locks/${lockid}`;
  const answer = useAnswer<Lock>(path, 'locks');
  const copies = useListing<Copy>(`${path}/copies`, 'copies', {order: '-waiting', sought: 'name', most: SHORT});
  const holders = useListing<Holder>(`${path}/holders`, 'holders', {most: SHORT});
  const waiters = useListing<Waiter>(`${path}/waiters`, 'waiters', {sought: 'text'});
  useEvents([`${path}/copies/*/*`], (copy: Copy) => {
    copies.change(copy, other => other.copyid === copy.copyid);
    // a copy that nobody holds or waits for may be no more, and one that is not seen may be new
    const seen = copies.rows.some(other => other.copyid === copy.copyid);
    // and what happens to a resource is told of its pool
    if (!seen || copy.used + copy.waiting === 0 || answer.rows[0]?.kind === 'pool') {
      copies.refresh();
    }
    [answer, holders, waiters].forEach(each => each.refresh());
  });
  const changed = () => [answer, copies, holders, waiters].forEach(each => each.refresh());
  const seen = (copy: Copy) => targetOf(copy, [...holders.rows, ...waiters.rows]);
  const lock = answer.rows[0];
  const many = lock !== undefined && (lock.copies !== 1 || lock.kind !== 'master');
  return (
    <Frame
      title={lock === undefined ? 'Lock' : <Name text={lock.name} />}
      trail={[[lock?.name ?? `${lockid}`, `/locks/${lockid}`]]}
    >
      <Hand changed={changed}>
        <FailureNote failure={answer.failure} />
        {lock !== undefined && (
          <>
            <p className="bb-locks-sum">
              {KINDS[lock.kind]} ·{' '}
              {lock.kind === 'pool' || <>{plural(lock.copies, 'copy', 'copies')} in use · </>}
              <Meter used={lock.used} capacity={lock.capacity} /> ·{' '}
              {waits(lock.waiting)}
              {lock.oldest_wait_at !== null && (
                <>
                  , the oldest for <Age since={lock.oldest_wait_at} />
                </>
              )}
            </p>
            {many ? (
              <Copies lock={lock} copies={copies} seen={seen} />
            ) : (
              copies.rows.map(copy => (
                <React.Fragment key={copy.copyid}>
                  <QuarantineNote copy={copy} />
                  <Deeds deeds={deedsOfCopy(copy, seen(copy))} />
                </React.Fragment>
              ))
            )}
            <Standing holders={holders} waiters={waiters} many={many} />
            <Actions path={path} lock={lock.name} many={many} />
            <Timeline lockid={lockid} />
            <Uses path={path} events={`${path}/copies/*/*`} />
          </>
        )}
      </Hand>
    </Frame>
  );
}

interface CopiesProps {
  lock: Lock;
  copies: Listing<Copy>;
  /** A copy as it was seen. */
  seen(copy: Copy): Target;
}

function Copies({lock, copies, seen}: CopiesProps) {
  const label = useId();
  const {me} = useHand();
  return (
    <section aria-labelledby={label}>
      <h2 id={label}>{lock.kind === 'pool' ? 'Resources' : 'Copies'}</h2>
      <Table<Copy>
        caption="its copies"
        listing={copies}
        id={row => row.copyid}
        nothing="No copy is in use."
        seek="Search copies"
        columns={[
          {
            name: 'Copy',
            key: 'name',
            cell: row => (
              <>
                <CopyLink lockid={row.lockid} copyid={row.copyid} name={row.name} />
                {row.quarantined_at !== null && (
                  <>
                    {' '}
                    <Tag alarming>quarantine</Tag>
                  </>
                )}
              </>
            ),
          },
          {
            name: 'Of',
            cell: row => <Scope copy={row} />,
          },
          ...USAGE,
          ...(me !== null
            ? [{name: 'Act', cell: (row: Copy) => <Deeds deeds={deedsOfCopy(row, seen(row))} />}]
            : []),
        ]}
      />
      {me !== null && lock.kind !== 'pool' && (
        <p className="bb-locks-unlisted">
          A copy that is not listed because nobody uses it:{' '}
          <Deeds deeds={[holdUnused(lock), quarantineUnused(lock)]} />
        </p>
      )}
    </section>
  );
}

/** Whose copy it is: a worker's, a branch's, or a key's; or which resource, and what it is. */
export function Scope({copy}: {copy: Copy}) {
  switch (copy.scope) {
    case 'worker':
      return (
        <>
          worker <WorkerLink id={copy.workerid} name={copy.worker ?? ''} />
        </>
      );
    case 'branch':
      return (
        <>
          branch {copy.branch === null ? 'of no name' : <Name text={copy.branch} />}
          {copy.codebase !== null && copy.codebase !== '' && (
            <>
              {' '}
              in <Name text={copy.codebase} />
            </>
          )}
        </>
      );
    case 'key':
      return (
        <>
          key <Name text={copy.key ?? ''} />
        </>
      );
    case 'resource':
      return (
        <>
          resource <Name text={copy.key ?? ''} />
          {(copy.labels ?? []).map(label => (
            <React.Fragment key={label}>
              {' '}
              <Tag>{label}</Tag>
            </React.Fragment>
          ))}
        </>
      );
    default:
      return <>the master</>;
  }
}
