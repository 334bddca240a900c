# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot --version`` tells of Interlock; two commands are about locks, one checks orders."""

from __future__ import annotations

import buildbot_overlay
from buildbot.scripts import base
from buildbot.scripts.locks import LocksOptions
from buildbot_overlay import release

upstream = release(__name__)


class DropLockTablesOptions(base.BasedirMixin, base.SubcommandOptions):
    """Options of ``drop-lock-tables``, which removes the tables of Interlock."""

    subcommandFunction = 'buildbot.scripts.locktables.drop_lock_tables'
    optFlags = [['quiet', 'q', 'Print errors only']]
    longdesc = """
    This command removes the tables for locks from the database of a master that is stopped, with
    the history of locks that is in them. Nothing else is changed. The next start of a master with
    Interlock creates them again, so this command is only useful before
    Interlock is uninstalled for good."""

    def getSynopsis(self) -> str:
        return 'Usage:    buildbot drop-lock-tables [options] [<basedir>]'


class CheckConfigOptions(upstream.CheckConfigOptions):
    """The command line of ``buildbot checkconfig``. It checks nothing itself."""

    subcommandFunction = 'buildbot.scripts.strictlocks.checkconfig'
    optFlags = [
        *upstream.CheckConfigOptions.optFlags,
        [
            'strict-locks',
            None,
            'Fail if the order in which builds claim locks can make them wait for one another'
            ' forever',
        ],
    ]


class Options(upstream.Options):
    """The command line of ``buildbot``, with all its commands. It does not run them."""

    subCommands = [
        *(
            [name, short, CheckConfigOptions if name == 'checkconfig' else options, text]
            for name, short, options, text in upstream.Options.subCommands
        ),
        ['locks', None, LocksOptions, 'Who holds the locks of a master, who waits, and why'],
        [
            'drop-lock-tables',
            None,
            DropLockTablesOptions,
            'Remove the tables for locks from the database, before Interlock is uninstalled',
        ],
    ]

    def opt_version(self) -> None:
        print(f'{buildbot_overlay.DISTRIBUTION} {buildbot_overlay.__version__} is on')
        super().opt_version()
