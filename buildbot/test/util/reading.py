# SPDX-License-Identifier: GPL-2.0-only
"""New: configurations that are read as ``checkconfig`` does."""

from __future__ import annotations

import warnings
from pathlib import Path

from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.config.master import FileLoader

#: what each of them begins with
HEAD = """
from buildbot.locks import LockAccess
from buildbot.plugins import steps, util, worker

c = BuildmasterConfig = {'buildbotNetUsageData': None, 'multiMaster': True, 'builders': []}
c['protocols'] = {'null': {}}
c['workers'] = [worker.Worker('w', 'pw')]
Shell, StepGroup = steps.ShellCommand, steps.StepGroup
board = util.WorkerLock('board', maxCount=2)
make = Shell(name='make', command='make')


def build(*inner, name='a', factory=None, **words):
    factory = factory or util.BuildFactory(inner)
    words.setdefault('workername', 'w')
    c['builders'].append(util.BuilderConfig(name, factory=factory, **words))


"""


class Reading(unittest.SynchronousTestCase):
    """Reads configurations.

    :ivar warned: what the last one was warned of.
    """

    def read(self, text: str) -> list[str]:
        """Return what is told of a configuration.

        ``HERE`` stands in it for the line of the text that ends with ``# here``.
        """
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        lines = (HEAD + text).split('\n')
        (directory / 'master.cfg').write_text('\n'.join(lines))
        self.here = [n for n, line in enumerate(lines, 1) if line.endswith('# here')]
        self.file = str(directory / 'master.cfg')
        with warnings.catch_warnings(record=True) as self.warned:
            warnings.simplefilter('default')
            try:
                FileLoader(str(directory), 'master.cfg').loadConfig()
            except ConfigErrors as e:
                errors = e.errors
            else:
                errors = []
        for number in self.here:
            errors = [e.replace(f'{self.file}:{number}', 'HERE') for e in errors]
        return errors
