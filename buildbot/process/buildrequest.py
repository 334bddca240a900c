# SPDX-License-Identifier: GPL-2.0-only
"""Requests are merged only where configured, and an error in a merge leaves none without an end."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.data import resultspec
from buildbot.process.latewrite import AGAIN_AFTER
from buildbot.process.latewrite import write_at_last
from buildbot_overlay import release

upstream = release(__name__)


class BuildRequestCollapser(upstream.BuildRequestCollapser):
    """Drops pending build requests that new ones make unnecessary. It starts no builds."""

    @defer.inlineCallbacks
    def collapse(self) -> Any:
        collapsed: list[int] = []
        try:
            collapsed = yield super().collapse()
        except Exception as e:
            log.err(e, f'requests cannot be collapsed into build requests {self.brids}')
            self._give_back_claimed().addErrback(log.err, 'while giving back claimed requests')
            self._complete_buildsets().addErrback(log.err, 'while completing buildsets')
        return collapsed

    @defer.inlineCallbacks
    def _getUnclaimedBrs(self, builderid: int) -> Any:
        # there may be thousands; without merging, a new request must not read them all
        builder = self.master.botmaster.getBuilderById(builderid)
        said = None if builder is None else builder.config.collapseRequests
        if (self.master.config.collapseRequests if said is None else said) is False:
            return []
        return (yield super()._getUnclaimedBrs(builderid))

    @defer.inlineCallbacks
    def _complete_buildsets(self) -> Any:
        # a merged request may be complete, but not its buildset, for which a step may wait
        unended = [resultspec.Filter('complete', 'eq', [False])]

        @defer.inlineCallbacks
        def write() -> Any:
            for row in (yield self.master.data.get(('buildsets',), unended)):
                yield self.master.data.updates.maybeBuildsetComplete(row['bsid'])

        yield write_at_last(self.master, 'which buildsets are complete', write)

    @defer.inlineCallbacks
    def _give_back_claimed(self) -> Any:
        # merged requests are taken, and then completed; nobody else looks at them in between
        botmaster, masterid = self.master.botmaster, self.master.masterid
        builderids = set()
        for brid in self.brids:
            builderids.add((yield self.master.data.get(('buildrequests', brid)))['builderid'])
        for builderid in sorted(builderids):
            path = ('builders', builderid, 'buildrequests')
            unended = [
                resultspec.Filter('claimed', 'eq', [True]),
                resultspec.Filter('complete', 'eq', [False]),
            ]
            for row in (yield self.master.data.get(path, unended)):
                brid, is_ours = row['buildrequestid'], row['claimed_by_masterid'] == masterid
                if not is_ours or botmaster.is_in_progress(brid):
                    continue
                if not (yield self.master.data.get(('buildrequests', brid, 'builds'))):
                    builder = botmaster.getBuilderById(builderid)
                    # given back later, since another merge may be between its two writes
                    botmaster.brd.give_back([(builder, brid)], AGAIN_AFTER)
