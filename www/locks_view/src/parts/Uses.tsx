// SPDX-License-Identifier: GPL-2.0-only
import React, {useId} from 'react';
import {Link} from 'react-router-dom';
import {Use} from '../entities';
import {useEvents} from '../events';
import {useListing} from '../listing';
import {span} from '../text';
import {CopyLink} from './links';
import {Name} from './Name';
import {Table} from './Table';
import {Clock} from './Time';

const RESULTS = {released: 'held it', left: 'left the line', lost: 'lost it', deadlock: 'would have waited forever'};

/** How long it waited, and how long it held. */
function lengths(use: Use): [number | null, number | null] {
  const held = use.held_since;
  return [
    use.waiting_since === null ? null : (held ?? use.until) - use.waiting_since,
    held === null ? null : use.until - held,
  ];
}

/** The past is not asked for at each event. */
const PAUSE = 5000;

interface Props {
  path: string;
  /** What is told when somebody has let go. */
  events: string;
}

/** Who had it before, the latest first. */
export function Uses({path, events}: Props) {
  const label = useId();
  const uses = useListing<Use>(`${path}/uses`, 'uses', {
    order: '-until',
    sought: 'text',
    most: 10,
    pause: PAUSE,
  });
  useEvents([events], uses.refresh);
  const length = (seconds: number | null) => (seconds === null ? null : span(seconds));
  return (
    <section aria-labelledby={label}>
      <h2 id={label}>Before</h2>
      <Table<Use>
        caption="who had it before"
        listing={uses}
        id={row => row.useid}
        lenient
        nothing="Nobody had it before, or the record is no longer kept."
        seek="Search those before"
        columns={[
          {
            name: 'Who',
            key: 'text',
            cell: row => <UseLink use={row} />,
          },
          {name: 'Copy', key: 'copy', cell: copyLink},
          {name: 'Waited', cell: row => length(lengths(row)[0])},
          {name: 'Held', cell: row => length(lengths(row)[1])},
          {name: 'Until', key: 'until', figure: true, cell: row => <Clock at={row.until} />},
          {name: 'How it ended', key: 'result', cell: row => RESULTS[row.result] ?? row.result},
        ]}
      />
    </section>
  );
}

function copyLink(use: Use) {
  return <CopyLink lockid={use.lockid} copyid={use.copyid} name={use.copy} />;
}

/** To the build, by its request: a request that has no build is shown itself. */
function UseLink({use}: {use: Use}) {
  const text = <Name text={use.text} most={80} />;
  return use.buildrequestid === null ? (
    text
  ) : (
    <Link to={`/buildrequests/${use.buildrequestid}?redirect_to_build=true`}>{text}</Link>
  );
}
