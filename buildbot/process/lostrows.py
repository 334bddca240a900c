# SPDX-License-Identifier: GPL-2.0-only
"""New: rows of a build whose end could not be written are ended once the database works again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer

from buildbot.data.resultspec import Filter
from buildbot.process.latewrite import write_at_last

if TYPE_CHECKING:
    from buildbot.master import BuildMaster

UNENDED = [Filter('complete', 'eq', [False])]


def end_rows(master: BuildMaster, buildid: Any, text: str, results: int | None) -> Any:
    """End the rows of an ended build, its steps and their logs that have no end yet.

    :param text: the text for the build's row.
    :param results: the result of the build, also used for steps whose end is not known.
    :returns: Deferred that fires when this is written.
    """

    @defer.inlineCallbacks
    def write() -> Any:
        updates = master.data.updates
        for step in (yield master.data.get(('builds', buildid, 'steps'), UNENDED)):
            stepid = step['stepid']
            for log in (yield master.data.get(('steps', stepid, 'logs'), UNENDED)):
                yield updates.finishLog(log['logid'])
            yield updates.setStepStateString(stepid, 'its end could not be written')
            yield updates.finishStep(stepid, results, False)
        build = yield master.data.get(('builds', buildid))
        if not build['complete']:
            yield updates.setBuildStateString(buildid, text)
            yield updates.finishBuild(buildid, results)

    return write_at_last(master, f'that build {buildid} has ended', write)
