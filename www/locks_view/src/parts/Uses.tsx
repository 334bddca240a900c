// SPDX-License-Identifier: GPL-2.0-only
import React, {useId} from 'react';
import {Use} from '../entities';
import {useListing} from '../listing';
import {span} from '../text';
import {Link} from 'react-router-dom';
import {Name} from './Name';
import {Table} from './Table';
import {Clock} from './Time';

const RESULTS = {released: 'held it', left: 'left the line', lost: 'lost it'};

/** How long it waited, and how long it held. */
function lengths(use: Use): [number | null, number | null] {
  const held = use.held_since;
  return [
    use.waiting_since === null ? null : (held ?? use.until) - use.waiting_since,
    held === null ? null : use.until - held,
  ];
}

/** Who had it before, the latest first. */
export function Uses({path}: {path: string}) {
  const label = useId();
  const uses = useListing<Use>(`${path}/uses`, 'uses', '-until', 'text', 10);
  const length = (seconds: number | null) => (seconds === null ? null : span(seconds));
  return (
    <section aria-labelledby={label}>
      <h2 id={label}>Before</h2>
      <Table<Use>
        caption="who had it before"
        listing={uses}
        id={row => row.useid}
        lenient
        nothing="Nobody had it before, or it is not kept any more."
        seek="Search those before"
        columns={[
          {
            name: 'Who',
            key: 'text',
            cell: row => (
              <Link to={`/buildrequests/${row.buildrequestid}?redirect_to_build=true`}>
                <Name text={row.text} most={80} />
              </Link>
            ),
          },
          {name: 'Copy', key: 'copy', cell: row => <Name text={row.copy} />},
          {name: 'Waited', cell: row => length(lengths(row)[0])},
          {name: 'Held', cell: row => length(lengths(row)[1])},
          {name: 'Until', key: 'until', figure: true, cell: row => <Clock at={row.until} />},
          {name: 'How it ended', key: 'result', cell: row => RESULTS[row.result] ?? row.result},
        ]}
      />
    </section>
  );
}
