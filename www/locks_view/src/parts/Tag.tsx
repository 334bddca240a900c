// SPDX-License-Identifier: GPL-2.0-only
import React, {ReactNode} from 'react';

interface Props {
  /** Somebody has to look after it. */
  alarming?: boolean;
  children: ReactNode;
}

/** A word or two beside a name. */
export function Tag({alarming = false, children}: Props) {
  return <span className={`bb-locks-tag${alarming ? ' bb-locks-alarming' : ''}`}>{children}</span>;
}
