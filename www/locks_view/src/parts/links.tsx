// SPDX-License-Identifier: GPL-2.0-only
// Links to the release's own pages, by id: no name ever is part of an address.
import React from 'react';
import {Link} from 'react-router-dom';
import {Owner} from '../entities';
import {shown} from '../text';
import {Name} from './Name';

export function BuilderLink({id, name}: {id: number; name: string}) {
  return (
    <Link to={`/builders/${id}`}>
      <Name text={name} most={40} />
    </Link>
  );
}

export function WorkerLink({id, name}: {id: number | null; name: string}) {
  return id === null ? (
    <Name text={name} most={40} />
  ) : (
    <Link to={`/workers/${id}`}>
      <Name text={name} most={40} />
    </Link>
  );
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
  const to =
    owner.number === null
      ? `/buildrequests/${owner.buildrequestid}`
      : {
          pathname: `/builders/${owner.builderid}/builds/${owner.number}`,
          hash: owner.step_number === null ? '' : `#bb-step-${owner.step_number}`,
        };
  return (
    <Link to={to}>
      <Name text={owner.text} most={80} />
    </Link>
  );
}

export function WhyLink({owner}: {owner: Owner}) {
  const to =
    owner.stepid !== null
      ? `/why/step/${owner.stepid}`
      : owner.buildid !== null
        ? `/why/build/${owner.buildid}`
        : `/why/request/${owner.buildrequestid}`;
  return (
    <Link to={to} aria-label={`Why does ${shown(owner.text)} wait?`}>
      Why?
    </Link>
  );
}
