// SPDX-License-Identifier: GPL-2.0-only
import React, {ReactNode, useId} from 'react';
import {Listing} from '../listing';
import {FailureNote} from './Failure';

export interface Column<T> {
  name: string;
  /** By what the master sorts it, if it can be sorted. */
  key?: string;
  /** Figures stand on the right, and are sorted from the largest. */
  figure?: boolean;
  /** Null if there is nothing to say. */
  cell(row: T): ReactNode;
}

interface Props<T> {
  caption: string;
  columns: Column<T>[];
  listing: Listing<T>;
  id(row: T): number | string;
  /** What is said if there is none. */
  nothing: string;
  /** Nothing is as good as none: of what is not kept, the master does not even know the path. */
  lenient?: boolean;
  /** What can be sought, as a label. */
  seek?: string;
}

/** A page of a listing; where there is little room each row is a card. */
export function Table<T>({caption, columns, listing, id, nothing, lenient = false, seek}: Props<T>) {
  const {rows} = listing;
  const absent = lenient && listing.failure === 'missing';
  const known = listing.known || absent;
  const failure = absent ? null : listing.failure;
  const [first, ...rest] = columns;
  return (
    <div className="bb-locks-listing">
      <Tools seek={seek} columns={columns} listing={listing} />
      <FailureNote failure={failure} />
      {known && rows.length === 0 && <p className="bb-locks-nothing">{nothing}</p>}
      {!known && failure === null && <p className="bb-locks-nothing">Asking the master …</p>}
      {rows.length > 0 && (
        <table>
          <caption className="sr-only">{caption}</caption>
          <thead>
            <tr>
              {columns.map(column => (
                <Heading key={column.name} column={column} listing={listing} />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <tr key={id(row)}>
                <th scope="row">{first.cell(row)}</th>
                {rest.map(column => (
                  <Cell key={column.name} column={column} content={column.cell(row)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Pager listing={listing} what={caption} />
    </div>
  );
}

function Cell<T>({column, content}: {column: Column<T>; content: ReactNode}) {
  const names = [column.figure && 'bb-locks-figure', content === null && 'bb-locks-none'];
  return (
    <td data-name={column.name} className={names.filter(Boolean).join(' ') || undefined}>
      <div>{content ?? '–'}</div>
    </td>
  );
}

/** The next order: this way, the other way, and as it was. */
function turned<T>(column: Column<T>, order: string, firstOrder: string): string {
  const first = column.figure ? `-${column.key}` : column.key!;
  const other = column.figure ? column.key! : `-${column.key}`;
  return order === first ? other : order === other && firstOrder !== other ? firstOrder : first;
}

interface HeadingProps<T> {
  column: Column<T>;
  listing: Listing<T>;
}

function Heading<T>({column, listing}: HeadingProps<T>) {
  const {order, firstOrder, sort} = listing;
  const className = column.figure ? 'bb-locks-figure' : undefined;
  if (column.key === undefined) {
    return (
      <th scope="col" className={className}>
        {column.name}
      </th>
    );
  }
  const sorted =
    order === column.key ? 'ascending' : order === `-${column.key}` ? 'descending' : undefined;
  return (
    <th scope="col" aria-sort={sorted} className={className}>
      <button type="button" onClick={() => sort(turned(column, order, firstOrder))}>
        {column.name}
        <span aria-hidden="true">
          {sorted === 'ascending' ? ' ▲' : sorted === 'descending' ? ' ▼' : ''}
        </span>
      </button>
    </th>
  );
}

interface ToolsProps<T> {
  seek?: string;
  columns: Column<T>[];
  listing: Listing<T>;
}

function Tools<T>({seek, columns, listing}: ToolsProps<T>) {
  const name = useId();
  const sortable = columns.filter(column => column.key !== undefined);
  const chosen = sortable.find(column => listing.order.replace('-', '') === column.key);
  return (
    <div className="bb-locks-tools">
      {seek !== undefined && (
        <input
          type="search"
          aria-label={seek}
          placeholder={seek}
          onChange={event => listing.seek(event.target.value)}
        />
      )}
      {sortable.length > 0 && (
        <span className="bb-locks-sort">
          <label htmlFor={name}>Sort by </label>
          <select
            id={name}
            value={chosen?.key ?? ''}
            onChange={event => {
              const wanted = sortable.find(({key}) => key === event.target.value);
              listing.sort(wanted === undefined ? '' : turned(wanted, '', ''));
            }}
          >
            {listing.firstOrder === '' && <option value="">as they come</option>}
            {sortable.map(column => (
              <option key={column.key} value={column.key}>
                {column.name}
              </option>
            ))}
          </select>
        </span>
      )}
    </div>
  );
}

function Pager<T>({listing, what}: {listing: Listing<T>; what: string}) {
  const {offset, limit, total, turn, rows} = listing;
  if (total <= limit && offset === 0) {
    return null;
  }
  const last = Math.floor((total - 1) / limit) * limit;
  const buttons: [string, number, boolean][] = [
    ['First', 0, offset > 0],
    ['Previous', Math.max(0, offset - limit), offset > 0],
    ['Next', offset + limit, offset < last],
    ['Last', last, offset < last],
  ];
  return (
    <nav className="bb-locks-pager" aria-label={`Pages of ${what}`}>
      {buttons.map(([name, to, possible]) => (
        <button key={name} type="button" disabled={!possible} onClick={() => turn(to)}>
          {name}
        </button>
      ))}
      <span aria-live="polite">
        {(offset + 1).toLocaleString()}–{(offset + rows.length).toLocaleString()} of{' '}
        {total.toLocaleString()}
      </span>
    </nav>
  );
}
