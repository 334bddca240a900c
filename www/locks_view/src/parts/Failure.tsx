// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Failure} from '../answer';

const SENTENCES: Record<Failure, string> = {
  missing: 'The master does not know this, or has no locks at all.',
  failed: 'The master did not answer. What you see may be out of date.',
};

export function FailureNote({failure}: {failure: Failure | null}) {
  return failure === null ? null : (
    <p className="bb-locks-failure" role="alert">
      {SENTENCES[failure]}
    </p>
  );
}
