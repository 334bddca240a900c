// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {Failure} from '../answer';

const SENTENCES: Record<Failure, string> = {
  missing: 'The master knows nothing of this, or of no locks at all.',
  failed: 'The master did not answer. What is shown may be old.',
};

export function FailureNote({failure}: {failure: Failure | null}) {
  return failure === null ? null : (
    <p className="bb-locks-failure" role="alert">
      {SENTENCES[failure]}
    </p>
  );
}
