# SPDX-License-Identifier: GPL-2.0-only
"""The command line of ``buildslave``: that of 0.8, and the additions of ``buildbot-worker``."""

from __future__ import annotations

import re

from buildbot_worker.scripts import runner
from twisted.python import usage

import buildslave


class CreateSlaveOptions(runner.CreateWorkerOptions):
    """Options of ``create-slave``."""

    subcommandFunction = 'buildslave.scripts.commands.create_slave'
    optParameters = [['usepty', None, 0, 'ignored today; see usePTY of the steps']]
    longdesc = 'Make the directory of a slave; <master> is HOST or HOST:PORT (9989 otherwise).'

    def getSynopsis(self) -> str:
        return 'Usage:    buildslave create-slave [options] <basedir> <master> <name> <passwd>'

    def postOptions(self) -> None:
        try:
            self['usepty'] = int(self['usepty'])
        except ValueError:
            raise usage.UsageError('usepty must be a number')
        if re.fullmatch('0o.*[89].*', self['umask']):
            raise usage.UsageError('umask must be an octal number, such as 022, or None')
        if re.fullmatch('0+[0-7]+', self['umask']):
            self['umask'] = '0o' + self['umask'].lstrip('0').zfill(1)  # today's octal
        super().postOptions()


class UpgradeSlaveOptions(runner.MakerBase):
    """Options of ``upgrade-slave``, which makes the directory of a 0.8 slave ready to start."""

    subcommandFunction = 'buildslave.scripts.commands.upgrade_slave'
    longdesc = 'Mend the buildbot.tac of a slave, and keep a copy of it; say what was changed.'

    def getSynopsis(self) -> str:
        return 'Usage:    buildslave upgrade-slave [<basedir>]'


class StartOptions(runner.StartOptions):
    """Options of ``start``."""

    subcommandFunction = 'buildslave.scripts.commands.start'

    def getSynopsis(self) -> str:
        return 'Usage:    buildslave start [<basedir>]'


class StopOptions(runner.StopOptions):
    """Options of ``stop``."""

    subcommandFunction = 'buildslave.scripts.commands.stop'

    def getSynopsis(self) -> str:
        return 'Usage:    buildslave stop [<basedir>]'


class RestartOptions(runner.RestartOptions):
    """Options of ``restart``."""

    subcommandFunction = 'buildslave.scripts.commands.restart'

    def getSynopsis(self) -> str:
        return 'Usage:    buildslave restart [<basedir>]'


class Options(runner.Options):
    """The command line as a whole. Each command has options of its own."""

    synopsis = 'Usage:    buildslave <command> [command options]'

    subCommands = [
        ['create-slave', None, CreateSlaveOptions, 'Make the directory of a slave'],
        ['upgrade-slave', None, UpgradeSlaveOptions, 'Mend the directory of a 0.8 slave'],
        ['start', None, StartOptions, 'Start a slave'],
        ['stop', None, StopOptions, 'Stop a slave'],
        ['restart', None, RestartOptions, 'Stop a slave if it runs, and start it'],
    ]

    def opt_version(self) -> None:
        print(f'buildslave version: {buildslave.version}')
        super().opt_version()
