# SPDX-License-Identifier: GPL-2.0-only
"""New: what a user means: a lock, one of its copies, and its holders and waiters."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Sequence

from buildbot.clients.locks.api import Api
from buildbot.clients.locks.api import NoAnswer
from buildbot.clients.locks.api import NotThere
from buildbot.process.eye.words import plain

Row = dict

#: the version of a copy that nobody uses
UNUSED = '0-0-0'

#: which option names a copy, by kind of the lock
NAMED_BY = {'master': '', 'worker': '--worker', 'branch': '--branch', 'pool': ''}

#: what the owner with such an id does, and what another one does not do
DOES = {'holderid': ('holds', 'does not hold'), 'waiterid': ('waits for', 'does not wait for')}

#: how many of several possible meanings are named
NAMED = 5


async def all_locks(api: Api) -> list[Row]:
    """Return the rows of all locks.

    :raises NoAnswer: the master does not know locks, or does not answer.
    """
    try:
        return await api.rows('locks', 'locks')
    except NotThere:
        raise NoAnswer(
            'this master does not tell of its locks: its Buildbot has no "buildbot locks"'
        ) from None


async def find_lock(api: Api, name: str) -> tuple[Row, str | None]:
    """Return the row of a lock, and the name of the copy if one of its copies is meant.

    :param name: of the lock or the copy, also in the form in which it is shown; or the id of the
        lock.
    """
    locks = await all_locks(api)
    ways: list[Callable[[Any], bool]] = [
        lambda lock: lock['name'] == name,
        lambda lock: plain(lock['name']) == name,
        lambda lock: str(lock['lockid']) == name,
    ]
    for is_meant in ways:
        for lock in locks:
            if is_meant(lock):
                return lock, None
    for lock in locks:
        if name.startswith((f'{lock["name"]}[', f'{plain(lock["name"])}[')):
            return lock, name
    raise NoAnswer(f'no lock has the name or id {plain(name)}')


def is_copy(copy: Row, name: str) -> bool:
    return name in (copy['name'], plain(copy['name']))


class Of(NamedTuple):
    """Which copy of a lock is meant. It does not name the lock.

    :param option: the option that says so; empty if none does.
    :param name: the worker, branch or key; None for the copy of a master lock.
    """

    option: str = ''
    name: str | None = None
    codebase: str | None = None


class Copy(NamedTuple):
    """A copy of a lock, in use or not, as the client knows it.

    :param lock: its row.
    :param row: of the copy; None if nobody uses it.
    :param name: what people call it.
    :param words: the parameters by which the master knows it.
    """

    lock: Row
    row: Row | None
    name: str
    words: dict[str, str]

    @property
    def version(self) -> str:
        return UNUSED if self.row is None else self.row.get('version', UNUSED)


async def find_copy(api: Api, name: str, of: Of) -> Copy:
    """Return the copy of a lock that is meant.

    :param name: of the lock or of the copy, or the id of the lock.
    :raises NoAnswer: there is none, or it is not clear which one; the text says so.
    """
    lock, one = await find_lock(api, name)
    option = NAMED_BY[lock['kind']]
    copies = await api.rows('copies', f'locks/{lock["lockid"]}/copies')
    if one is not None:
        if of != Of():
            raise NoAnswer(f'{plain(one)} names a copy already; leave {of.option} out')
        for row in copies:
            if is_copy(row, one):
                return in_use(lock, row)
        return not_used(lock, of_brackets(lock, one))
    if of.option and not fits(of.option, lock['kind']):
        kind = f'{plain(lock["name"])} is a {lock["kind"]} lock'
        raise NoAnswer(f'{kind}, and has no copy that {of.option} could name')
    if not option:
        return in_use(lock, copies[0]) if copies else not_used(lock, of)
    if of.name is None:
        raise NoAnswer(f'{plain(lock["name"])} has several copies; say which with {option}')
    return copy_of(lock, copies, of)


def fits(option: str, kind: str) -> bool:
    options = {'worker': ('--worker',), 'branch': ('--branch', '--key', '--codebase')}
    return option in options.get(kind, ())


def copy_of(lock: Row, copies: Sequence[Row], of: Of) -> Copy:
    rows = [row for row in copies if of.name in (row['worker'], row['branch'], row['key'])]
    for row in rows:
        if (row['codebase'] or '') == (of.codebase or ''):
            return in_use(lock, row)
    if rows and of.codebase is None:
        names = ', '.join(plain(row['name']) for row in rows[:NAMED])
        raise NoAnswer(f'for {plain(str(of.name))} there is {names}; say which with --codebase')
    return not_used(lock, of)


def of_brackets(lock: Row, name: str) -> Of:
    """Return which copy is meant by a name such as ``jtag[board-1]``, if nobody uses it."""
    option = NAMED_BY[lock['kind']]
    of = name.partition('[')[2]
    if lock['kind'] == 'pool':
        raise NoAnswer(f'{plain(lock["name"])} has no resource {plain(of[:-1])}')
    if name.count('[') == 1 and of.endswith(']') and len(of) > 1:
        # in the name of a branch lock's copy, the text before a colon might be a codebase
        if option == '--worker' or (option and ':' not in of):
            return Of(option, of[:-1])
    how = f'; to use a new one, name it with {option}' if option else ''
    raise NoAnswer(f'nobody uses a copy named {plain(name)}{how}')


def in_use(lock: Row, row: Row) -> Copy:
    of = [row[key] for key in ('worker', 'branch', 'key') if row[key] is not None]
    return Copy(lock, row, row['name'], words_of(of[0] if of else None, row['codebase']))


def not_used(lock: Row, of: Of) -> Copy:
    name = f'{lock["name"]}[{of.name}]' if of.name is not None else lock['name']
    return Copy(lock, None, name, words_of(of.name, of.codebase))


def words_of(of: str | None, codebase: str | None) -> dict[str, str]:
    words = {'of': of, 'codebase': codebase or None}
    return {key: value for key, value in words.items() if value is not None}


class Users(NamedTuple):
    """The holders of a copy and the first of its waiters, as rows, and how many wait in all."""

    holders: list[Row]
    waiters: list[Row]
    waiting: int


async def users_of(api: Api, copy: Copy) -> Users:
    """Return the holders and the waiters of a copy."""
    if copy.row is None:
        return Users([], [], 0)
    at = f'copies/{copy.row["copyid"]}'
    try:
        holders = await api.rows('holders', f'{at}/holders')
        waiters, waiting = await api.page('waiters', f'{at}/waiters')
    except NotThere:  # nobody uses it any more
        return Users([], [], 0)
    return Users(holders, waiters, waiting)


def find_user(rows: Sequence[Row], who: str, idname: str) -> Row:
    """Return the row of a holder or waiter of a copy.

    :param who: its name as shown, or the beginning of that, or its id; empty if there is only one.
    :param idname: the name of the id: ``holderid`` or ``waiterid``.
    """
    rows = [row for row in rows if row['kind'] != 'quarantine']
    outer = [row for row in rows if not row['nested']] or rows
    if not who:
        found = outer
    else:
        found = [row for row in rows if who in (row['text'], plain(row['text']), row[idname])]
        found = found or [row for row in outer if is_begun(row['text'], who)]
    found = one_of_build(found) if idname == 'holderid' else found
    if len(found) == 1:
        return found[0]
    if not found:
        does, does_not = DOES[idname]
        raise NoAnswer(f'{plain(who)} {does_not} it' if who else f'nobody {does} it')
    names = [f'{plain(row["text"])} ({plain(row[idname])})' for row in found[:NAMED]]
    more = f' or another of {len(found)}' if len(found) > NAMED else ''
    raise NoAnswer(f'say who: {", ".join(names)}{more}')


def is_begun(name: str, who: str) -> bool:
    """Tell whether a name begins with what is said, and another word follows."""
    return name.startswith((f'{who} ', f'{who},')) or plain(name).startswith((f'{who} ', f'{who},'))


def one_of_build(rows: list[Row]) -> list[Row]:
    """Return the first row if all belong to one build: ending one of them ends all."""
    builds = {row['buildid'] for row in rows}
    return rows[:1] if len(builds) == 1 and None not in builds else rows


async def own_hold(api: Api, users: Users, number: int | None) -> int:
    """Return the id of the hold that is meant.

    :param number: the id, if the user gives it.
    """
    if number is not None:
        return number
    me = await api.name_of_user()
    own = [row for row in (*users.holders, *users.waiters) if row.get('person') == me]
    own = [row for row in own if row['kind'] == 'person']
    if len(own) == 1:
        return own[0]['holdid']
    if own:
        numbers = ', '.join(str(row['holdid']) for row in own)
        raise NoAnswer(f'{plain(me)} has several holds of it: say which with --hold: {numbers}')
    raise NoAnswer(f'{plain(me)} neither holds it by hand nor waits for it')
