# SPDX-License-Identifier: GPL-2.0-only
"""New: changes of copies of locks become events on the message queue."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import BaseLock
from buildbot.process.eye.lockids import LockIds
from buildbot.util.eventual import eventually
from buildbot.util.service import SharedService


class Watch(SharedService):
    """Produces the events of the copies of locks. It keeps no copy in use and decides nothing.

    Everything that happens to a copy in one turn of the reactor makes one event for each kind of
    news, so a thousand claims that move up by one make only a few events.
    """

    def __init__(self) -> None:
        super().__init__()
        # the unreported news of each copy; the inner dict keeps the order
        self._news: dict[BaseLock, dict[str, None]] = {}
        self._is_telling = False
        self._has_failed = False

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        in_use = yield LocksInUse.getService(self.parent)
        in_use.tell = self.note

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        in_use = yield LocksInUse.getService(self.parent)
        in_use.tell = None
        self._news.clear()
        yield super().stopService()

    def note(self, copy: BaseLock, news: str) -> None:
        """Report soon that something has happened to a copy, one of ``locking.copy.NEWS``."""
        self._news.setdefault(copy, {})[news] = None
        if not self._is_telling:
            self._is_telling = True
            eventually(self._tell)

    @defer.inlineCallbacks
    def _tell(self) -> Any:
        try:
            ids = yield LockIds.getService(self.parent)
            while self._news and self.running:
                news, self._news = self._news, {}
                yield ids.learn(news)
                for copy, kinds in news.items():
                    self.master.data.updates.announce_copy(copy, ids.of(copy), kinds)
            self._has_failed = False
        except Exception as e:
            if self.running and not self._has_failed:
                self._has_failed = True
                log.err(e, 'what happens to locks cannot be told; it is tried each time')
        finally:
            self._is_telling = False
