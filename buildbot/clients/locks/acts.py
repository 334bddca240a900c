# SPDX-License-Identifier: GPL-2.0-only
"""New: what each sub command of ``buildbot locks`` does to a copy, and what it says afterwards."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import NamedTuple

from buildbot.clients.locks.api import NoAnswer
from buildbot.clients.locks.asked import Asked
from buildbot.clients.locks.meant import Copy
from buildbot.clients.locks.meant import Row
from buildbot.clients.locks.meant import Users
from buildbot.clients.locks.meant import find_copy
from buildbot.clients.locks.meant import find_user
from buildbot.clients.locks.meant import own_hold
from buildbot.clients.locks.meant import users_of
from buildbot.clients.locks.texts import copy_text
from buildbot.clients.locks.texts import count
from buildbot.clients.locks.texts import headed
from buildbot.clients.locks.until import end_at
from buildbot.clients.locks.until import moment
from buildbot.process.eye.words import plain

#: how many waiting owners are shown before the question whether to go on
SHOWN = 5


class Act(NamedTuple):
    """What is to be done. It does nothing itself.

    :param words: parameters for the master.
    :param wish: what it is, for the question.
    :param done: takes the master's answer, and returns what has been done.
    """

    words: dict[str, Any]
    wish: str
    done: Callable[[Row], str]


async def hold(asked: Asked, config: Any, users: Users) -> Act:
    now = asked.api.now
    until = end_at(config['until'], now)
    units = config['units']
    how = {'mode': 'exclusive'} if units is None else {'mode': 'counting', 'units': units}
    taking = 'all of it' if units is None else count(units, 'unit')
    end = moment(until, now)

    def done(answer: Row) -> str:
        state = 'yours' if answer['state'] == 'held' else 'you are in line for it'
        return f'{state} until {end} (hold {answer["holdid"]})'

    return Act({'until': until, **how}, f'hold {taking} until {end}', done)


async def extend(asked: Asked, config: Any, users: Users) -> Act:
    holdid = await own_hold(asked.api, users, config['hold'])
    now = asked.api.now
    until = end_at(config['until'], now)
    end = moment(until, now)
    words = {'holdid': holdid, 'until': until}
    return Act(words, f'let hold {holdid} end {end}', lambda _: f'hold {holdid} ends {end}')


async def release(asked: Asked, config: Any, users: Users) -> Act:
    holdid = await own_hold(asked.api, users, config['hold'])
    wish = f'give it back (hold {holdid})'
    return Act({'holdid': holdid}, wish, lambda _: f'hold {holdid} has ended')


async def handover(asked: Asked, config: Any, users: Users) -> Act:
    holdid = await own_hold(asked.api, users, config['hold'])
    person = plain(config['person'])
    words = {'holdid': holdid, 'person': config['person']}
    wish = f'hand hold {holdid} over to {person}'
    return Act(words, wish, lambda _: f'hold {holdid} belongs to {person} now')


async def first(asked: Asked, config: Any, users: Users) -> Act:
    row = find_user(users.waiters, config['who'], 'waiterid')
    name = plain(row['text'])
    return Act(
        {'waiterid': row['waiterid']}, f'let {name} go first', lambda _: f'{name} goes first'
    )


async def back(asked: Asked, config: Any, users: Users) -> Act:
    row = find_user(users.waiters, config['who'], 'waiterid')
    name = plain(row['text'])
    words = {'waiterid': row['waiterid']}
    wish = f'give {name} its own place again'
    return Act(words, wish, lambda _: f'{name} has its own place again')


async def kick(asked: Asked, config: Any, users: Users) -> Act:
    row = find_user(users.holders, config['who'], 'holderid')
    name = plain(row['text'])
    is_person = row['kind'] == 'person'
    wish = f'end the hold of {name}' if is_person else f'stop the build of {name}'
    done = f'the hold of {name} has ended' if is_person else f'the build of {name} is being stopped'
    return Act({'holderid': row['holderid']}, wish, lambda _: done)


async def quarantine(asked: Asked, config: Any, users: Users) -> Act:
    return Act({}, 'take it out of use', lambda _: 'in quarantine; nobody else gets it')


async def restore(asked: Asked, config: Any, users: Users) -> Act:
    return Act({}, 'put it back into use', lambda _: 'in use again')


ACTS = {
    act.__name__: act
    for act in (hold, extend, release, handover, first, back, kick, quarantine, restore)
}


async def do(asked: Asked, config: Any) -> None:
    """Do what a sub command says, if the copy is still as the user has seen it.

    :raises NoAnswer: it is not done; the text says why.
    """
    copy = await find_copy(asked.api, config['lock'], config.of)
    users = await users_of(asked.api, copy)
    name = plain(copy.name)
    try:
        act = await ACTS[config.name](asked, config, users)
    except NoAnswer as e:
        raise NoAnswer(f'{name}: {e}') from None
    if config['version'] is None and not config['yes']:
        question = f'{name}: {act.wish}; continue? [y/N] '
        if not await asked.agree(state_of(asked, copy, users), question):
            raise NoAnswer('nothing was done')
    # the version is older than what was read after it, so the user never saw an older state
    answer = await asked.api.do(
        f'locks/{copy.lock["lockid"]}',
        config.name,
        {
            **copy.words,
            **act.words,
            'reason': config['reason'] or '',
            'version': config['version'] or copy.version,
        },
    )
    if asked.is_json:
        asked.write_json(answer)
    else:
        asked.write([f'{name}: {act.done(answer)}'])


def state_of(asked: Asked, copy: Copy, users: Users) -> list[str]:
    """Say what state a copy is in now."""
    if copy.row is None:
        return headed(f'{plain(copy.name)}: ', 'nobody uses it', asked.look)
    shown = users.waiters[:SHOWN]
    words = users.holders, shown, users.waiting, asked.api.now, asked.look
    return copy_text(copy.row, *words)
