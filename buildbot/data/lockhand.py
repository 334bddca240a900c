# SPDX-License-Identifier: GPL-2.0-only
"""New: what people may do with locks through the data API."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data.exceptions import InvalidControlException
from buildbot.data.exceptions import InvalidQueryParameter
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockError
from buildbot.process.hand.copyname import copy_of
from buildbot.process.hand.hand import Hand
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.version import version_of
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.hand.wishes import check_text
from buildbot.www.authz import Forbidden

#: what can be done, and the names of the parameters that it takes
ACTIONS: dict[str, tuple[str, ...]] = {
    'hold': ('until', 'mode', 'units'),
    'extend': ('holdid', 'until'),
    'release': ('holdid',),
    'handover': ('holdid', 'person'),
    'first': ('waiterid',),
    'back': ('waiterid',),
    'kick': ('holderid',),
    'quarantine': (),
    'restore': (),
}

#: parameters that may be left out
OPTIONAL = {'mode': 'exclusive', 'units': None}

#: parameters of any action: the web server sets the last one, the others name a copy
COMMON = ('version', 'reason', 'of', 'codebase', 'owner')


class ControlMixin:
    """Does what a person asks for with a copy: the control methods of locks and copies.

    It has no rows.
    """

    master: Any

    @defer.inlineCallbacks
    def control(self, action: str, args: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        """Carry out an action.

        :returns: Deferred of a dictionary with the ``copyid`` and the new ``version`` of the copy,
            and for a hold its ``holdid`` and ``state``.
        :raises InvalidQueryParameter: it is refused; the text says why.
        :raises Forbidden: the person has not logged in.
        """
        if action not in ACTIONS:
            raise InvalidControlException(f'action: {action} is not supported')
        who = args.get('owner')
        if not who or (who == 'anonymous' and not self.master.config.handForAnonymous):
            raise Forbidden(b'log in first: the master keeps who did what with a lock')
        names = ACTIONS[action]
        check_parameters(action, args, names)
        try:
            copy = yield self.copy_to_act_on(kwargs, args)
            reason = (args.get('reason') or '').strip()
            if reason:  # also for actions that need none
                check_text(copy, 'the reason', reason)
            by = By(who, reason, args.get('version'))
            words = {name: args.get(name, OPTIONAL.get(name)) for name in names}
            hand = yield Hand.getService(self.master.botmaster)
            done = yield hand.act(action, copy, by, **words)
            return (yield self._answer(copy, done))
        except (Refused, LockError) as e:
            raise InvalidQueryParameter(str(e)) from e

    @defer.inlineCallbacks
    def copy_to_act_on(self, kwargs: dict[str, Any], args: dict[str, Any]) -> Any:
        """Return the copy that a path and the parameters name.

        :returns: Deferred of the copy, which may be one that nobody uses.
        :raises InvalidPathError: no lock or copy has this id.
        :raises LockError: the lock cannot have such a copy.
        """
        endpoint: Any = self  # it is mixed into those of locks, which this module does not import
        if 'copyid' in kwargs:
            return (yield endpoint.copy_with_id(kwargs['copyid']))
        lock = yield endpoint.lock_with_id(kwargs['lockid'])
        workers = self.master.workers.workers
        return copy_of(lock, args.get('of'), args.get('codebase') or '', workers)

    @defer.inlineCallbacks
    def _answer(self, copy: BaseLock, done: Any) -> Any:
        endpoint: Any = self
        [(_, (_, copyid))] = yield endpoint.with_ids([copy])
        answer = {'copyid': copyid, 'version': version_of(copy)}
        if isinstance(done, Hold):
            answer.update(holdid=done.holdid, state='held' if done.is_held else 'waiting')
        return answer


def check_parameters(action: str, args: dict[str, Any], names: tuple[str, ...]) -> None:
    """Check the parameters of an action.

    :raises InvalidQueryParameter: something is missing or unknown, or is not a text although it
        must be one.
    """
    for name in names:
        if name not in args and name not in OPTIONAL:
            raise InvalidQueryParameter(f'{action}: {name} is missing')
    for name in args:
        if name not in names and name not in COMMON:
            raise InvalidQueryParameter(f'{action}: it takes no {name}')
    for name in ('reason', 'of', 'codebase'):
        if not isinstance(args.get(name), (str, type(None))):
            raise InvalidQueryParameter(f'{action}: {name} must be a string')
