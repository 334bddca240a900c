# SPDX-License-Identifier: GPL-2.0-only
"""New: what each sub command of ``buildbot locks`` asks the master, and what it writes."""

from __future__ import annotations

import time
from typing import Any

from buildbot.clients.locks.acts import ACTS
from buildbot.clients.locks.acts import do
from buildbot.clients.locks.address import Thing
from buildbot.clients.locks.api import Api
from buildbot.clients.locks.api import NoAnswer
from buildbot.clients.locks.api import NotThere
from buildbot.clients.locks.asked import Asked
from buildbot.clients.locks.look import harmless
from buildbot.clients.locks.meant import all_locks
from buildbot.clients.locks.meant import find_lock
from buildbot.clients.locks.meant import is_copy
from buildbot.clients.locks.stream import Lost
from buildbot.clients.locks.texts import actions_text
from buildbot.clients.locks.texts import copy_text
from buildbot.clients.locks.texts import costs_text
from buildbot.clients.locks.texts import deed_text
from buildbot.clients.locks.texts import lock_text
from buildbot.clients.locks.texts import locks_text
from buildbot.clients.locks.texts import news_text
from buildbot.clients.locks.texts import reasons_text
from buildbot.process.eye.words import plain

#: how many copies are shown before a watch begins
COPIES = 20

#: how many actions by hand are shown
ACTIONS = 5

HINT = '; --limit 0 shows all'


async def show_all(asked: Asked) -> None:
    locks = await all_locks(asked.api)
    if asked.is_json:
        asked.write_json({'locks': locks})
    else:
        asked.write(locks_text(locks, asked.api.now, asked.look))


async def show(asked: Asked, name: str, limit: int) -> None:
    """Show a lock with its copies, their holders and who waits.

    :param limit: of copies, and of waiting owners for each; 0 stands for no limit.
    """
    api = asked.api
    lock, one = await find_lock(api, name)
    path = f'locks/{lock["lockid"]}'
    copies = await api.rows('copies', f'{path}/copies')
    if one is not None:
        copies = [copy for copy in copies if is_copy(copy, one)]
        if not copies:
            raise NoAnswer(f'nobody uses a copy named {plain(one)}')
    # copies with the longest waits come first
    copies.sort(key=lambda c: (c['oldest_wait_at'] or api.now, -c['used'], c['name']))
    shown = copies[:limit] if limit else copies
    holders = await api.rows('holders', f'{path}/holders')
    waiters: dict[
        Any, Any
    ] = {}  # with how many there are, which may have changed since the copies were read
    for copy in shown:
        waiters[copy['copyid']] = ([], 0)
        at = f'copies/{copy["copyid"]}/waiters'
        if copy['waiting']:
            try:
                waiters[copy['copyid']] = await api.page('waiters', at, limit=limit or None)
            except NotThere:
                pass  # nobody uses it any more
    actions = await last_actions(api, path if one is None else f'copies/{shown[0]["copyid"]}')
    if asked.is_json:
        rows = [row for some, _ in waiters.values() for row in some]
        ids = [copy['copyid'] for copy in shown]
        held = [row for row in holders if row['copyid'] in ids]
        known = {'locks': [lock], 'copies': shown, 'holders': held, 'waiters': rows}
        asked.write_json({**known, 'lockactions': actions})
        return
    lines = lock_text(lock, api.now, asked.look)
    for copy in shown:
        lines.append('')
        held = [row for row in holders if row['copyid'] == copy['copyid']]
        some, total = waiters[copy['copyid']]
        lines += copy_text(copy, held, some, total, api.now, asked.look, HINT)
    if len(copies) > len(shown):
        lines += ['', f'and {len(copies) - len(shown)} more in use{HINT}']
    asked.write([*lines, *actions_text(actions, api.now, asked.look)])


async def last_actions(api: Api, path: str) -> list[Any]:
    """Return the last actions by hand on a lock or a copy."""
    try:
        return await api.rows('lockactions', f'{path}/actions', order='-at', limit=ACTIONS)
    except NotThere:  # nobody uses the copy any more, or the master has no such history
        return []


async def tell_why(asked: Asked, thing: Thing) -> None:
    """Tell why something waits; for a request that has builds, why these wait."""
    api = asked.api
    try:
        [row] = await api.rows(thing.kind, thing.path)
    except (NotThere, ValueError):
        noun = {'buildrequests': 'build request'}.get(thing.kind, thing.kind[:-1])
        raise NoAnswer(f'this master has no {noun} at {harmless(thing.path)[:200]}') from None
    asking = [(thing.kind, row)]
    if thing.kind == 'buildrequests' and row['claimed'] and not row['complete']:
        builds = await api.rows('builds', f'{thing.path}/builds')
        asking += [('builds', build) for build in builds if not build['complete']]
    reasons = []
    for kind, each in asking:
        at = f'{kind}/{each[thing.id if kind == thing.kind else "buildid"]}/reasons'
        try:
            reasons += await api.rows('reasons', at)
        except NotThere:
            await all_locks(api)  # does this Buildbot know no reasons?
            raise
    if asked.is_json:
        asked.write_json({'reasons': reasons})
        return
    name = await name_of(api, *asking[-1])
    if row.get('complete'):
        asked.write([f'{name} is complete'])
    else:
        asked.write(reasons_text(name, reasons, api.now, asked.look))


async def name_of(api: Api, kind: str, row: Any) -> str:
    """Return the name of a builder, build request, build or step."""
    if kind == 'builders':
        return f'builder {plain(row["name"])}'
    if kind == 'steps':
        [build] = await api.rows('builds', f'builds/{row["buildid"]}')
        return f'{await name_of(api, "builds", build)} / {plain(row["name"])}'
    [builder] = await api.rows('builders', f'builders/{row["builderid"]}')
    name = plain(builder['name'])
    if kind == 'builds':
        return f'{name} #{row["number"]}'
    return f'build request {row["buildrequestid"]} of {name}'


async def show_costs(asked: Asked, days: int, limit: int) -> None:
    """Show which locks cost most, by builder."""
    try:
        costs, total = await asked.api.page(
            'costs', f'lockcosts/{days}', order='-waited', limit=limit or None
        )
    except NotThere as e:
        await all_locks(asked.api)
        raise NoAnswer(f'this master does not know what locks cost: {e}') from None
    if asked.is_json:
        asked.write_json({'costs': costs})
    else:
        asked.write(costs_text(costs, total, days, asked.look))


async def watch(asked: Asked, name: str | None) -> None:
    """Show the present state and then what happens to locks, until the master ends it."""
    api = asked.api
    lock, one = (None, None) if name is None else await find_lock(api, name)
    if lock is None:
        await all_locks(api)  # a master without locks sends no events, and does not say so
    events = f'locks/{"*" if lock is None else lock["lockid"]}/copies/*/*'
    stream = await api.listen(events, 'lockactions/*/*')
    if not asked.is_json:
        await (show_all(asked) if name is None else show(asked, name, COPIES))
    asked.say('watching; press Ctrl-C to stop')
    while True:
        try:
            event = await stream.next()
        except Lost:
            raise NoAnswer('the connection to the master is lost') from None
        row, is_action = event['message'], event['key'][0] == 'lockactions'
        if lock is not None and row['lock'] != lock['name']:
            continue
        if one is not None and not is_copy({'name': row['copy']} if is_action else row, one):
            continue
        if asked.is_json:
            asked.write_json(event)
        elif is_action:
            asked.write(deed_text(row, time.time(), asked.look))
        else:
            asked.write(news_text(event['key'][-1], row, time.time(), asked.look))


async def answer(asked: Asked, config: Any) -> None:
    """Do what a sub command says."""
    await asked.api.log_in()
    what = config.name
    if what == 'list':
        await show_all(asked)
    elif what == 'show':
        await show(asked, config['lock'], config['limit'])
    elif what == 'why':
        await tell_why(asked, config['thing'])
    elif what == 'top':
        await show_costs(asked, config['days'], config['limit'])
    elif what in ACTS:
        await do(asked, config)
    else:
        await watch(asked, config['lock'])
