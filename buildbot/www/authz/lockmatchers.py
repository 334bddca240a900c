# SPDX-License-Identifier: GPL-2.0-only
"""New: rules that say who may do what with which lock."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import defer

from buildbot.config.errors import error
from buildbot.data.lockhand import ACTIONS
from buildbot.process.eye.rows import build_of_holder
from buildbot.process.hand.hand import Hand
from buildbot.www.authz.endpointmatchers import EndpointMatcherBase
from buildbot.www.authz.endpointmatchers import Match


class LockMatch(Match):
    """Says that a rule matches what somebody wants to do with a lock. It allows nothing yet.

    :param person: who holds the lock by hand, and so is the owner; None if nobody does.
    """

    def __init__(self, master: Any, person: str | None = None, build: Any = None) -> None:
        super().__init__(master, build=build)
        self._person = person

    def getOwner(self) -> Any:
        if self._person is not None:
            return defer.succeed(self._person)
        return super().getOwner()


class LockEndpointMatcher(EndpointMatcherBase):
    """A rule for what people do with locks by hand. It does not concern what they see.

    For a role from an owner (``RolesFromOwner``), the owner of a hold is the person who holds, and
    the owner of any other holding is that of its build.

    :param lock: name of the lock, or a pattern as in all rules; None stands for all locks.
    :param action: one of the actions, such as ``hold``; None stands for all.
    :param role: who may act.
    :raises ConfigErrors: there is no such action, or ``lock`` is not a name.
    """

    def __init__(self, lock: str | None = None, action: str | None = None, **kwargs: Any) -> None:
        if action is not None and action not in ACTIONS:
            known = ', '.join(ACTIONS)
            error(f'LockEndpointMatcher: {action!r} is not an action; actions are {known}')
        if not isinstance(lock, (str, re.Pattern, type(None))):
            what = 'lock must be the name of a lock, or a pattern'
            error(f'LockEndpointMatcher: {what}, not {lock!r}')
        self.lock = lock
        self.action = action
        super().__init__(**kwargs)

    def match(self, ep: Any, action: str = 'get', options: dict[str, Any] | None = None) -> Any:
        """Tell whether the rule applies to an action.

        :returns: Deferred of a ``Match``, or of None.
        """
        if action not in ACTIONS or self.action not in (None, action):
            return defer.succeed(None)
        return super().match(ep, action, options)

    @defer.inlineCallbacks
    def match_LockEndpoint(self, epobject: Any, epdict: Any, options: dict[str, Any]) -> Any:
        lock = yield epobject.find_one(epdict)
        if lock is None:
            return None
        if self.lock is not None and not self.authz.match(lock.lockName, self.lock):
            return None
        hand = yield Hand.getService(self.master.botmaster)
        person = hand.holds.person_of(options.get('holdid'), options.get('holderid'))
        buildid = build_of_holder(lock, options.get('holderid'))
        build = None
        if buildid is not None:
            build = yield self.master.data.get(('builds', buildid))
        return LockMatch(self.master, person, build)

    def match_CopyEndpoint(self, epobject: Any, epdict: Any, options: dict[str, Any]) -> Any:
        return self.match_LockEndpoint(epobject, epdict, options)
