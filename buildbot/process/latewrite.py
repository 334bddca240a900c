# SPDX-License-Identifier: GPL-2.0-only
"""New: writes to the database that are repeated until they succeed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Mapping

from twisted.internet import defer
from twisted.python import log

from buildbot.data.resultspec import Filter
from buildbot.util import asyncSleep
from buildbot.util import epoch2datetime

if TYPE_CHECKING:
    from buildbot.master import BuildMaster

#: seconds between two tries
AGAIN_AFTER = 10


@defer.inlineCallbacks
def write_at_last(
    master: BuildMaster,
    what: str,
    write: Callable[[], Any],
    is_due: Callable[[], bool] = lambda: True,
) -> Any:
    """Repeat a write until it succeeds.

    An error is logged if it differs from the previous one. The log also says when a write succeeds
    after an error.

    :param what: a clause for the log that names what is written.
    :param write: called without arguments; returns a Deferred.
    :param is_due: tells whether the write is still needed.
    :returns: Deferred that fires when the write is done or no longer needed, or the master has been
        stopped. It does not fail.
    """
    told: str | None = None
    while is_due():
        try:
            yield write()
            if told is not None:
                log.msg(f'{what}: written now')
            return
        except Exception as e:
            if told != repr(e):  # a lasting error would fill the log
                told = repr(e)
                again = f'it is tried again every {AGAIN_AFTER} seconds'
                log.err(e, f'cannot write {what}; {again}')
        yield asyncSleep(AGAIN_AFTER, master.reactor)
        if not master.running:
            return


def complete_at_last(
    master: BuildMaster, bsids: Mapping[int, int], results: int | None
) -> defer.Deferred[None]:
    """Complete build requests, now or as soon as the database can be written.

    :param bsids: by id of each request, that of its buildset.
    """
    updates, brids = master.data.updates, list(bsids)
    complete_at = epoch2datetime(master.reactor.seconds())

    @defer.inlineCallbacks
    def write() -> Any:
        is_news = yield updates.completeBuildRequests(brids, results, complete_at=complete_at)
        if not is_news:
            # an earlier try may have written this, but not what depends on it
            for bsid in sorted(set(bsids.values())):
                yield updates.maybeBuildsetComplete(bsid)

    return write_at_last(master, f'that build requests {brids} are complete', write)


@defer.inlineCallbacks
def complete_without_build(botmaster: Any, bsids: Mapping[int, int], results: int) -> Any:
    """Complete claimed build requests that have no build; see ``complete_at_last``.

    They are in progress until that is written, since others give back what seems to be forgotten.
    """
    for brid in bsids:
        botmaster.add_in_progress_buildrequest(brid)
    yield complete_at_last(botmaster.master, bsids, results)
    for brid in bsids:
        botmaster.remove_in_progress_buildrequest(brid)


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
            for row in (yield master.data.get(('steps', stepid, 'logs'), UNENDED)):
                yield updates.finishLog(row['logid'])
            yield updates.setStepStateString(stepid, 'its end could not be written')
            yield updates.finishStep(stepid, results, False)
        build = yield master.data.get(('builds', buildid))
        if not build['complete']:
            yield updates.setBuildStateString(buildid, text)
            yield updates.finishBuild(buildid, results)

    return write_at_last(master, f'that build {buildid} has ended', write)


@defer.inlineCallbacks
def cancel_later(botmaster: Any, brid: int, row: dict[str, Any] | None, reason: str) -> Any:
    """Cancel a request some seconds later, after an error has prevented it.

    A request is taken before it is cancelled. If the error came after that, nobody would ever build
    or complete the request; so it is given back before it is cancelled again. If it had only been
    left to complete its buildset, who waits for that would wait forever; so that is done, too.

    :param brid: id of the request.
    :param row: the request's row before the first attempt; None if it could not be read.
    :param reason: why the request is cancelled.
    :returns: Deferred that fires when the request is cancelled, or the master has been stopped.
    """
    master = botmaster.master
    has_begun = botmaster.is_in_progress(brid) or botmaster.awaited.runs(brid)
    if row is None or row['claimed'] or has_begun:
        yield asyncSleep(AGAIN_AFTER, master.reactor)
        if master.running:
            yield master.data.control('cancel', {'reason': reason}, ('buildrequests', brid))
            yield _complete_buildset(master, row)
        return
    botmaster.add_in_progress_buildrequest(brid)
    botmaster.maybe_cancel_in_progress_buildrequest(brid, reason)
    builder = botmaster.getBuilderById(row['builderid'])
    yield botmaster.brd.give_back([(builder, brid)], AGAIN_AFTER)
    yield _complete_buildset(master, row)


@defer.inlineCallbacks
def _complete_buildset(master: BuildMaster, row: dict[str, Any] | None) -> Any:
    # complete the buildset of a request if all its requests are complete
    if row is not None:
        bsid = row['buildsetid']
        write = partial(master.data.updates.maybeBuildsetComplete, bsid)
        yield write_at_last(master, f'that buildset {bsid} is complete', write)
