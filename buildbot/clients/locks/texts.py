# SPDX-License-Identifier: GPL-2.0-only
"""New: the words for a master's answers about its locks."""

from __future__ import annotations

import time
from typing import Sequence

from buildbot.clients.locks.look import Look
from buildbot.clients.locks.look import harmless
from buildbot.clients.locks.look import wrap
from buildbot.clients.locks.table import Column
from buildbot.clients.locks.table import table
from buildbot.clients.locks.until import moment
from buildbot.process.eye.words import plain

Row = dict

MINUTE, HOUR, DAY = 60, 3600, 86400

LOCKS = (
    Column('LOCK', is_name=True),
    Column('ID', 'id', is_number=True),
    Column('KIND', 'kind'),
    Column('COPIES', 'copies', is_number=True),
    Column('IN USE', 'in use', is_number=True),
    Column('WAITING', 'waiting', is_number=True, warns=True),
    Column('OLDEST', 'the oldest for', is_number=True),
    Column('QUARANTINED', 'in quarantine', is_number=True, warns=True),
)

OWNERS = (
    Column('WHO', is_name=True),
    Column(''),
    Column('FOR', 'for', is_number=True),
    Column('HOW'),
    Column('PRIORITY', 'priority', is_number=True),
    Column('LIKELY AT', 'likely at'),
    Column('UNTIL', 'until'),
    Column('REASON', 'reason:'),
)

ACTIONS = (
    Column('WHEN'),
    Column('COPY', is_name=True),
    Column('WHAT'),
    Column('REASON', 'reason:'),
)

COSTS = (
    Column('LOCK', is_name=True),
    Column('BUILDER', is_name=True),
    Column('WAITED', 'waited', is_number=True, warns=True),
    Column('WAITS', 'waits', is_number=True),
    Column('MEDIAN', 'median', is_number=True),
    Column('95 %', '95 %', is_number=True),
    Column('HELD', 'held', is_number=True),
    Column('HOLDS', 'holds', is_number=True),
    Column('MEDIAN', 'median', is_number=True),
    Column('95 %', '95 %', is_number=True),
)


def duration(seconds: float | None) -> str:
    """Say how long something lasted or lasts, in few letters."""
    if seconds is None:
        return ''
    seconds = max(seconds, 0)
    for length, unit in ((DAY, 'd'), (HOUR, 'h')):
        if seconds >= length:
            return f'{seconds / length:.1f} {unit}'
    return f'{seconds // MINUTE:.0f} min' if seconds >= MINUTE else f'{seconds:.0f} s'


def since(at: float | None, now: float) -> str:
    return '' if at is None else duration(now - at)


def clock(at: float, now: float) -> str:
    """Say when something is, in the local time of the command."""
    when, today = time.localtime(at), time.localtime(now)
    return time.strftime('%H:%M' if when[:3] == today[:3] else '%a %H:%M', when)


def count(number: int, noun: str) -> str:
    return f'{number} {noun}{"" if number == 1 else "s"}'


def use_of(row: Row, now: float) -> str:
    """Say how much of a lock or a copy is used, and how long others wait."""
    alone = ', exclusive' if row.get('exclusive') else ''
    labels = ''.join(f'{plain(label)}, ' for label in row.get('labels') or ())
    words = f'{labels}{row["used"]} of {row["capacity"]} in use{alone}'
    if row['waiting']:
        words += f', {row["waiting"]} waiting'
        if row['oldest_wait_at'] is not None:
            words += f', the oldest for {since(row["oldest_wait_at"], now)}'
    return f'{words}{out_of_use(row, now)}'


def out_of_use(row: Row, now: float) -> str:
    """Say that a copy is in quarantine, or how many copies of a lock are."""
    if row.get('quarantined'):
        return f', {row["quarantined"]} in quarantine'
    if row.get('quarantined_at') is None:
        return ''
    who, why = plain(row['quarantined_by']), plain(row['quarantine_reason'])
    return f', in quarantine for {since(row["quarantined_at"], now)} by {who} ({why})'


def locks_text(locks: Sequence[Row], now: float, look: Look) -> list[str]:
    if not locks:
        return ['the configuration of this master names no lock']
    rows = [
        (
            plain(row['name']),
            str(row['lockid']),
            row['kind'],
            str(row['copies']),
            f'{row["used"]}/{row["capacity"]}',
            str(row['waiting']),
            since(row['oldest_wait_at'], now),
            str(row.get('quarantined') or ''),
        )
        for row in locks
    ]
    return table(LOCKS, rows, look)


def lock_text(lock: Row, now: float, look: Look) -> list[str]:
    """Describe a lock in a line or two."""
    name = f'{plain(lock["name"])}: '
    text = f'{lock["kind"]} lock {lock["lockid"]}, {count(lock["copies"], "copy")}, '
    text = text.replace('copys', 'copies') + use_of(lock, now)
    return headed(name, text, look)


def headed(name: str, text: str, look: Look) -> list[str]:
    lines = wrap(f'{name}{text}', look.width, '', '  ')
    if look.colours and lines[0].startswith(name.strip()):
        lines[0] = look.title(name.strip()) + lines[0][len(name.strip()) :]
    return lines


def copy_text(
    copy: Row,
    holders: Sequence[Row],
    waiters: Sequence[Row],
    total: int,
    now: float,
    look: Look,
    hint: str = '',
) -> list[str]:
    """Say who holds a copy and who waits for it.

    :param waiters: the first of them.
    :param total: how many wait.
    :param hint: how to see the others.
    """
    lines = headed(f'{plain(copy["name"])}: ', use_of(copy, now), look)
    rows = [owner(row, 'holds', now) for row in holders]
    rows += [owner(row, place(row), now) for row in waiters]
    if rows:
        lines += table(OWNERS, rows, look, '  ')
    if total > len(waiters):
        more = f'and {count(total - len(waiters), "other")} in line{hint}'
        lines += wrap(more, look.width, '  ', '  ')
    return lines


def place(row: Row) -> str:
    moved = ', moved to the front' if row.get('first_at') is not None else ''
    return f'place {row["place"]}{moved}'


def owner(row: Row, state: str, now: float) -> tuple[str, ...]:
    names = ', '.join(plain(resource['name']) for resource in row.get('resources') or ())
    units = 'exclusive' if row['mode'] == 'exclusive' else names or count(row['units'], 'unit')
    nested = ', nested' if row['nested'] else ''
    return (
        plain(row['text']),
        state,
        since(row['since_at'], now),
        f'{units}{nested}',
        str(row['priority']) if row['priority'] else '',
        estimate(row, now),
        end(row, now),
        plain(row.get('reason') or ''),
    )


def end(row: Row, now: float) -> str:
    """Say when a hold by hand ends, or was due to end."""
    if row.get('until_at') is None:
        return ''
    when = moment(row['until_at'], now)
    return f'{when}, overdue' if row['overdue'] else when


def actions_text(actions: Sequence[Row], now: float, look: Look) -> list[str]:
    """Say what was done by hand last, and with what result."""
    rows = [
        (moment(row['at'], now), plain(row['copy']), plain(row['text']), plain(row['reason']))
        for row in actions
    ]
    return ['', look.title('By hand:'), *table(ACTIONS, rows, look, '  ')] if rows else []


def estimate(row: Row, now: float) -> str:
    """Say when it is likely to be a waiter's turn: ``14:32 (14:20 to 15:10)``."""
    if row.get('estimate_at') is None:
        return ''
    words = clock(row['estimate_at'], now)
    ends = [row[key] for key in ('estimate_from', 'estimate_until')]
    between = [clock(at, now) for at in ends if at is not None]
    return words if set(between) <= {words} else f'{words} ({" to ".join(between)})'


def reasons_text(what: str, reasons: Sequence[Row], now: float, look: Look) -> list[str]:
    """Say why something with this name waits."""
    if not reasons:
        return wrap(f'{what} waits for nothing', look.width, '', '  ')
    many = count(len(reasons), 'reason')
    lines = wrap(f'{what} waits, for {many}:', look.width, '', '  ')
    for number, reason in enumerate(reasons, 1):
        first = f'{number}. '
        rest = ' ' * len(first)
        lines += wrap(harmless(reason['text']), look.width, first, rest)
        lines += wrap('; '.join(more_of(reason, now)), look.width, rest, rest)
    return [line for line in lines if line.strip()]


def more_of(reason: Row, now: float) -> list[str]:
    """Say what the sentence of a reason leaves out."""
    more = []
    if reason['since_at'] is not None:
        more.append(f'for {since(reason["since_at"], now)}')
    if reason['place'] is not None:
        more.append(f'place {reason["place"]} in line')
    if reason['worker'] is not None and reason['worker'] not in reason['text']:
        more.append(f'on {plain(reason["worker"])}')
    if reason['again_at'] is not None:
        more.append(f'tried again at {clock(reason["again_at"], now)}')
    brids = reason['buildrequestids']
    if len(brids) > 1:
        others = f' and {len(brids) - 5} others' if len(brids) > 5 else ''
        more.append(f'build requests {", ".join(map(str, brids[:5]))}{others}')
    return more


def costs_text(costs: Sequence[Row], total: int, days: int, look: Look) -> list[str]:
    """Say what locks cost.

    :param total: how many rows there are, of which these are the first.
    """
    if not costs:
        return [f'nobody waited for a lock or held one in {count(days, "day")}']
    rows = [
        (
            plain(row['lock']),
            plain(row['builder'] or '(unknown)'),
            duration(row['waited']) if row['waited'] else '0',
            str(row['waits']),
            *(duration(row[key]) if row['waits'] else '' for key in ('wait_median', 'wait_p95')),
            duration(row['held']),
            str(row['holds']),
            *(duration(row[key]) if row['holds'] else '' for key in ('hold_median', 'hold_p95')),
        )
        for row in costs
    ]
    lines = table(COSTS, rows, look)
    if total > len(costs):
        text = f'and {count(total - len(costs), "other")}; --limit 0 shows all'
        lines += wrap(text, look.width)
    return lines


def news_text(what: str, copy: Row, now: float, look: Look) -> list[str]:
    """Say what has happened to a copy, in the last word of the event's key."""
    return at_time(f'{harmless(what):8}  {plain(copy["name"])}: {use_of(copy, now)}', now, look)


def deed_text(action: Row, now: float, look: Look) -> list[str]:
    """Say what was done by hand, or what resulted from it."""
    what, copy = harmless(action['action']), plain(action['copy'])
    why = f' ({plain(action["reason"])})' if action['reason'] else ''
    return at_time(f'{what:8}  {copy}: {plain(action["text"])}{why}', now, look)


def at_time(text: str, now: float, look: Look) -> list[str]:
    when = time.strftime('%H:%M:%S', time.localtime(now))
    line = f'{when}  {text}'
    return [line] if len(line) <= look.width else wrap(text, look.width, f'{when}  ', '  ')
