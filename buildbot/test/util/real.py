# SPDX-License-Identifier: GPL-2.0-only
"""New: builds on real workers, with programs that stand for the tools of a lab."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from twisted.internet import defer

from buildbot.plugins import schedulers
from buildbot.plugins import util
from buildbot.test.util.integration import RunMasterBase
from buildbot.test.util.memorydb import forget_in_the_end
from buildbot.test.util.memorydb import use_known_database

BOARD = """#!/bin/sh
# stands for the tool that drives a board
case "$1" in
    list) echo camera radio;;
    fail) exit 1;;
esac
exit 0
"""

MAKE = """#!/bin/sh
echo "$* in $(basename "$PWD") with $LICENCE $SEED"
"""

P4 = """#!/bin/sh
case "$*" in
    *changes*) echo '... change 28147';;
    *client*) cat > /dev/null; echo 'Client lab saved.';;
esac
exit 0
"""

MEET = """#!/bin/sh
# ends if its neighbours run at the same time: each writes to the next one's pipe, reads its own
echo "$1 came"
echo met > "$2" &
read answer < "$1"
wait
echo "$1 $answer"
"""


class RealCase(RunMasterBase):
    def setUp(self):
        forget_in_the_end(self)
        use_known_database(self)
        self.bin = Path(self.mktemp()).resolve()
        self.bin.mkdir()
        for name, text in [('board', BOARD), ('make', MAKE), ('p4', P4), ('meet', MEET)]:
            path = self.bin / name
            path.write_text(text)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @defer.inlineCallbacks
    def run_build(self, factory, more_builders=(), more_schedulers=()):
        path = os.pathsep.join([str(self.bin), os.path.dirname(sys.executable), '${PATH}'])
        yield self.setup_master(
            {
                'builders': [
                    util.BuilderConfig(
                        'lab', workernames=['local1'], factory=factory, env={'PATH': path}
                    ),
                    *(
                        util.BuilderConfig(
                            name, workernames=['local1'], env={'PATH': path}, **words
                        )
                        for name, words in more_builders
                    ),
                ],
                'schedulers': [
                    schedulers.ForceScheduler(name='force', builderNames=['lab']),
                    *more_schedulers,
                ],
            }
        )
        build = yield self.doForceBuild(wantSteps=True, wantLogs=True)
        return build

    def pipes(self, names):
        place = Path(self.mktemp()).resolve()
        place.mkdir()
        for name in names:
            os.mkfifo(place / name)
        return place

    def rows(self, build):
        own = ('worker_preparation', 'locks_acquire')
        return [(s['name'], s['results']) for s in build['steps'] if s['name'] not in own]

    def output(self, build, name):
        (step,) = [step for step in build['steps'] if step['name'] == name]
        return ''.join(entry['contents']['content'] for entry in step['logs'])
