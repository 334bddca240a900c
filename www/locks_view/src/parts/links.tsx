// SPDX-License-Identifier: GPL-2.0-only
// Links to Buildbot's own pages, by id: no name ever is part of an address.
import React from 'react';
import {Link} from 'react-router-dom';
import {Owner} from '../entities';
import {shown} from '../text';
import {Name} from './Name';

interface Named {
  /** Null if Buildbot has no page of it. */
  id: number | null;
  name: string;
}

export function BuilderLink({id, name}: Named) {
  return <MaybeLink to={id === null ? null : `/builders/${id}`} name={name} />;
}

export function WorkerLink({id, name}: Named) {
  return <MaybeLink to={id === null ? null : `/workers/${id}`} name={name} />;
}

function MaybeLink({to, name}: {to: string | null; name: string}) {
  const text = <Name text={name} most={40} />;
  return to === null ? text : <Link to={to}>{text}</Link>;
}

export function CopyLink({lockid, copyid, name}: {lockid: number; copyid: number; name: string}) {
  return (
    <Link to={`/locks/${lockid}/copies/${copyid}`}>
      <Name text={name} />
    </Link>
  );
}

export function RequestLink({id}: {id: number}) {
  return <Link to={`/buildrequests/${id}`}>{id}</Link>;
}

/** To the step, the build or the request that holds or waits. */
export function OwnerLink({owner}: {owner: Owner}) {
  const text = <Name text={owner.text} most={80} />;
  if (owner.number !== null && owner.builderid !== null) {
    const pathname = `/builders/${owner.builderid}/builds/${owner.number}`;
    const hash = owner.step_number === null ? '' : `#bb-step-${owner.step_number}`;
    return <Link to={{pathname, hash}}>{text}</Link>;
  }
  if (owner.buildrequestid !== null) {
    return <Link to={`/buildrequests/${owner.buildrequestid}`}>{text}</Link>;
  }
  return text;
}

/** Where its reasons are told. */
function reasonsOf(owner: Owner): string | null {
  const known: [string, number | null][] = [
    ['step', owner.stepid],
    ['build', owner.buildid],
    ['request', owner.buildrequestid],
  ];
  const [kind, id] = known.find(([, id]) => id !== null) ?? ['', null];
  return id === null ? null : `/why/${kind}/${id}`;
}

/** Null if there are none. */
export function whyLink(owner: Owner) {
  const to = reasonsOf(owner);
  return to === null ? null : (
    <Link to={to} aria-label={`Why does ${shown(owner.text)} wait?`}>
      Why?
    </Link>
  );
}
