# SPDX-License-Identifier: GPL-2.0-only
"""New: copies of locks whose builds fail one after another are taken out of use."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import definition_of
from buildbot.locking.copy import BaseLock
from buildbot.locking.owner import LockOwner
from buildbot.process.lockfacts import known_facts
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS


def is_failure(results: int | None) -> bool | None:
    """Tell whether a result is a failure; None if it says nothing about a lock."""
    if results in (FAILURE, EXCEPTION):
        return True
    return False if results in (SUCCESS, WARNINGS) else None


class Failures:
    """Counts, for each copy, the owners in a row that held it and failed. It ends nothing.

    Counting begins when the master starts. An owner that shares a holding is not counted; the owner
    around it is.

    :param too_many: called with a copy and a sentence when the count reaches the lock's
        ``quarantineAfter``.
    :cvar most: how many copies are remembered; those that failed longest ago are forgotten.
    """

    most = 10_000

    def __init__(self, too_many: Callable[[BaseLock, str], Any]) -> None:
        self._too_many = too_many
        self._in_a_row: dict[str, int] = {}

    def forget(self, copy: BaseLock) -> None:
        """Start counting again from 0 for a copy."""
        self._in_a_row.pop(copy.label, None)

    def released(self, copy: BaseLock, owner: LockOwner) -> None:
        """Take notice that an owner is about to release a copy."""
        if definition_of(copy).quarantineAfter and not copy.is_shared_with(owner):
            name = owner.short_name()
            self.judge(copy, getattr(owner, 'results', None), partial(self._count, copy, name))

    def judge(self, copy: BaseLock, results: int | None, take: Callable[[Any], Any]) -> None:
        """Find out whether a result is a failure according to the lock's ``quarantineWhen``.

        :param take: called with True or False; not called if the result says nothing or there is no
            answer.
        """
        user = definition_of(copy).quarantineWhen or is_failure
        d = defer.maybeDeferred(user, results)
        d.addCallback(lambda failed: None if failed is None else take(bool(failed)))
        d.addErrback(log.err, f'lock {copy.lockName!r}: quarantineWhen failed, and is not counted')

    def _count(self, copy: BaseLock, name: str, failed: bool) -> None:
        if not failed:
            self.forget(copy)
            return
        after = definition_of(copy).quarantineAfter
        if not after:
            return  # a reconfig came before the user's answer
        count = self._in_a_row.pop(copy.label, 0) + 1
        self._in_a_row[copy.label] = count
        while len(self._in_a_row) > self.most:  # branches come and go
            del self._in_a_row[next(iter(self._in_a_row))]
        if count >= after and copy.quarantine is None:
            self._too_many(copy, f'{count} failures in a row, the last of {name}')


def tell_release(owner: LockOwner, claim: Any) -> None:
    """Have the end of an owner judged before anybody else gets what its claim holds."""
    for copy, _ in claim.accesses if claim.holds else ():
        judge = copy.in_use.judge if copy.in_use is not None else None
        if judge is not None and getattr(definition_of(copy), 'is_judged', False):
            try:
                judge(copy, owner)
            except Exception as e:  # the lock is released all the same
                log.err(e, f'while judging how {known_facts(owner).name} held {copy}')
