// SPDX-License-Identifier: GPL-2.0-only
import React, {ReactNode} from 'react';
import {Link, useParams} from 'react-router-dom';
import {useAnswer} from '../answer';
import {Reason} from '../entities';
import {useEvents} from '../events';
import {FailureNote} from '../parts/Failure';
import {Frame} from '../parts/Frame';
import {CopyLink, RequestLink, WorkerLink} from '../parts/links';
import {Name} from '../parts/Name';
import {Age, Clock} from '../parts/Time';

interface Subject {
  plural: string;
  /** What it is called in a sentence. */
  title(row: any): ReactNode;
  /** Its page, if it has one of its own. */
  route: ((row: any) => string) | null;
}

const BUILDER: Subject = {
  plural: 'builders',
  title: row => <Name text={row.name} most={40} />,
  route: row => `/builders/${row.builderid}`,
};

const BUILD: Subject = {
  plural: 'builds',
  title: row => `build ${row.number}`,
  route: row => `/builders/${row.builderid}/builds/${row.number}`,
};

const REQUEST: Subject = {
  plural: 'buildrequests',
  title: row => `build request ${row.buildrequestid}`,
  route: row => `/buildrequests/${row.buildrequestid}`,
};

const STEP: Subject = {
  plural: 'steps',
  title: row => (
    <>
      step <Name text={row.name} most={40} />
    </>
  ),
  route: null,
};

const SUBJECTS = new Map([
  ['builder', BUILDER],
  ['build', BUILD],
  ['request', REQUEST],
  ['step', STEP],
]);

/** What a reason is, in one or two words. */
const KINDS: Record<string, string | undefined> = {
  lock: 'lock',
  quarantine: 'out of use',
  worker_missing: 'worker not connected',
  worker_full: 'worker full',
  worker_paused: 'worker paused',
  worker_quarantined: 'worker in quarantine',
  worker_busy: 'worker busy',
  worker_substantiating: 'worker starting up',
  late_binding: 'lock of a step',
  user: 'your configuration',
  stopping: 'master stopping',
  suspected: 'may never start',
  error: 'error',
  behind: 'another before it',
  starting: 'starting',
  elsewhere: 'another master',
};

/** Requests that are named before the rest is only counted. */
const NAMED = 20;

/** Why a request, a build, a step or a builder's requests wait. */
export function WhyView() {
  const {kind = '', id = ''} = useParams<'kind' | 'id'>();
  const subject = SUBJECTS.get(kind);
  if (subject === undefined) {
    return (
      <Frame title="Why?">
        <FailureNote failure="missing" />
      </Frame>
    );
  }
  return <WhyPage key={`${kind} ${id}`} kind={kind} id={Number(id)} subject={subject} />;
}

function WhyPage({kind, id, subject}: {kind: string; id: number; subject: Subject}) {
  const path = `${subject.plural}/${id}`;
  const about = useAnswer<any>(path, subject.plural);
  const reasons = useAnswer<Reason>(`${path}/reasons`, 'reasons');
  const row = about.rows[0];
  const build = useParent(row, kind === 'step', 'builds', 'buildid');
  const builder = useParent(build ?? row, kind !== 'builder', 'builders', 'builderid');

  // what can change a reason: the copies it names, the workers, the subject itself
  const copies = reasons.rows
    .filter(reason => reason.copyid !== null)
    .map(reason => `locks/${reason.lockid}/copies/${reason.copyid}/*`);
  const requests = kind === 'builder' ? [`builders/${id}/buildrequests/*/*`] : [];
  useEvents(
    [...new Set([...copies, ...requests, `${path}/*`, 'workers/*/*'])],
    (_, key) => {
      reasons.refresh();
      if (key[0] === subject.plural) {
        about.refresh();
      }
    },
  );

  return (
    <Frame
      title={
        row === undefined ? (
          'Why?'
        ) : (
          <>
            Why {kind === 'builder' ? 'do requests of ' : 'does '}
            <SubjectLink subject={subject} row={row} />
            {build !== undefined && <> of <SubjectLink subject={BUILD} row={build} /></>}
            {builder !== undefined && (
              <> of <SubjectLink subject={BUILDER} row={builder} /></>
            )}{' '}
            wait?
          </>
        )
      }
      trail={[['Why?', `/why/${kind}/${id}`]]}
    >
      <FailureNote failure={about.failure ?? reasons.failure} />
      {reasons.known && reasons.rows.length === 0 && (
        <p className="bb-locks-nothing">
          {row?.complete
            ? 'It does not: it is complete.'
            : kind === 'builder'
              ? 'No request waits.'
              : 'It does not wait for anything known: it is running or about to start.'}
        </p>
      )}
      <ol className="bb-locks-reasons">
        {reasons.rows.map(reason => (
          <ReasonItem key={reason.reasonid} reason={reason} among={kind === 'builder'} />
        ))}
      </ol>
    </Frame>
  );
}

/** What the row is a part of, as the master tells it. */
function useParent(row: any, wanted: boolean, plural: string, key: string): any {
  const id = row?.[key];
  const path = wanted && id !== undefined ? `${plural}/${id}` : null;
  return useAnswer<any>(path, plural).rows[0];
}

function SubjectLink({subject, row}: {subject: Subject; row: any}) {
  return subject.route === null ? (
    <>{subject.title(row)}</>
  ) : (
    <Link to={subject.route(row)}>{subject.title(row)}</Link>
  );
}

function ReasonItem({reason, among}: {reason: Reason; among: boolean}) {
  const more = reason.buildrequestids.length - NAMED;
  const facts: [string, ReactNode][] = [];
  if (reason.lockid !== null && reason.copyid !== null && reason.copy !== null) {
    facts.push([
      'Lock',
      <CopyLink lockid={reason.lockid} copyid={reason.copyid} name={reason.copy} />,
    ]);
  }
  if (reason.worker !== null) {
    facts.push(['Worker', <WorkerLink id={reason.workerid} name={reason.worker} />]);
  }
  if (reason.since_at !== null) {
    facts.push(['For', <Age since={reason.since_at} />]);
  }
  if (reason.again_at !== null) {
    facts.push(['Tried again at', <Clock at={reason.again_at} />]);
  }
  if (among && reason.buildrequestids.length > 0) {
    facts.push([
      'Requests',
      <>
        {reason.buildrequestids.slice(0, NAMED).map((id, index) => (
          <React.Fragment key={id}>
            {index > 0 && ', '}
            <RequestLink id={id} />
          </React.Fragment>
        ))}
        {more > 0 && ` and ${more.toLocaleString()} more`}
      </>,
    ]);
  }
  return (
    <li>
      <p>
        <span className="bb-locks-kind">{KINDS[reason.kind] ?? reason.kind}</span>{' '}
        <Name text={reason.text} most={500} />
      </p>
      {facts.length > 0 && (
        <dl>
          {facts.map(([name, fact]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{fact}</dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
