# SPDX-License-Identifier: GPL-2.0-only
"""The distributor before the user's order of builders counts among requests at a lock."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.questions import GivenUp
from buildbot.process.questions import Questions
from buildbot.process.questions import endable
from buildbot_overlay import release

upstream = release(__name__)


class BuildRequestDistributor(upstream.BuildRequestDistributor):
    @defer.inlineCallbacks
    def _sort_in_time(self, names: list[str]) -> Any:
        sorting = endable(defer.maybeDeferred(self._sortBuilders, names), 'prioritizeBuilders')
        if not self.master.config.prioritizeBuilders:
            return (yield sorting)
        late = self.master.reactor.callLater(Questions.logged_after, self._end_sorting, sorting)
        self._sorting, self.sorting_since = sorting, self.master.reactor.seconds()
        try:
            names = yield sorting
        except GivenUp:
            pass  # the distributor stops
        except Exception as e:  # such as a result that is not a list of builders
            log.err(
                e,
                f'while putting builders {names} in order; they are processed in no particular'
                ' order',
            )
        self._sorting = self.sorting_since = None
        if late.active():
            late.cancel()
        return names
