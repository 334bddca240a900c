# SPDX-License-Identifier: GPL-2.0-only
"""New: what ``buildbot locks`` is told by its options, the environment and the options file."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Any

from twisted.python import usage

from buildbot.clients.locks.address import thing_at
from buildbot.scripts import base
from buildbot.scripts.lockask import FLAGS
from buildbot.scripts.lockask import PARAMETERS
from buildbot.scripts.lockask import AskOptions
from buildbot.scripts.lockask import token
from buildbot.scripts.lockhand import COMMANDS

#: exit status of a command that is used wrongly
WRONG_USE = 2

LIMIT = ['limit', 'n', 20, 'How many to show at most; 0 shows all']

HELP = """
Options that are not given are taken from the environment (BUILDBOT_LOCKS_MASTER,
BUILDBOT_LOCKS_USER, BUILDBOT_LOCKS_PASSWD, BUILDBOT_LOCKS_TOKEN), then from .buildbot/options
(locks_master, locks_user).

Exit status: 0 if it was answered or done, 1 if not, 2 if the command was used wrongly."""


class ListOptions(AskOptions):
    """Options of ``list``, which shows all locks."""

    name = 'list'


class ShowOptions(AskOptions):
    """Options of ``show``, which shows one lock with its copies."""

    name = 'show'
    arguments = 'LOCK'
    takes = ('lock',)
    optParameters: list[Any] = [LIMIT]
    longdesc = 'LOCK is the name or id of a lock, or the name of a copy, such as jtag[board-1].'


class WhyOptions(AskOptions):
    """Options of ``why``, which tells why something waits."""

    name = 'why'
    arguments = 'URL|REQUEST-ID'
    takes = ('thing',)
    longdesc = """URL is the address of a build, build request, step or builder in the browser; it
    says which master it is, too. REQUEST-ID is the id of a build request."""

    def parseArgs(self, *words: str) -> None:
        super().parseArgs(*words)
        try:
            self['thing'] = thing_at(self['thing'])
        except ValueError as e:
            raise usage.UsageError(str(e)) from None

    def find_master(self, is_told: bool) -> None:
        there = self['thing'].master
        if there in (None, self['master']):
            return
        if is_told:
            raise usage.UsageError(
                f'{there} is not the master {self["master"]}; name only one of them'
            )
        if self['user'] is not None or token() is not None:
            # somebody who sends a user a link must not get the user's password or token
            raise usage.UsageError(f'to log in there, give it yourself: --master {there}')
        self['master'] = there


class WatchOptions(AskOptions):
    """Options of ``watch``, which shows what happens to locks."""

    name = 'watch'
    arguments = '[LOCK]'
    may_take = MappingProxyType({'lock': None})
    longdesc = 'Print a line for each thing that happens to a lock, until Ctrl-C.'


class TopOptions(AskOptions):
    """Options of ``top``, which shows what locks cost."""

    name = 'top'
    optParameters: list[Any] = [LIMIT, ['days', 'd', 7, 'How many days to look back']]


class LocksOptions(base.SubcommandOptions):
    """Options of ``buildbot locks``. Its sub commands have options of their own."""

    subcommandFunction = 'buildbot.clients.locks.command.locks'
    optFlags = FLAGS
    optParameters = [*PARAMETERS]
    subCommands = [
        ['list', None, ListOptions, 'All locks: how much is in use, and who waits'],
        ['show', None, ShowOptions, 'A lock: who holds it, and who waits, in order'],
        ['why', None, WhyOptions, 'Why a build, a build request, a step or a builder waits'],
        ['watch', None, WatchOptions, 'What happens to locks, as it happens'],
        ['top', None, TopOptions, 'Which locks cost most, by builder'],
        *COMMANDS,
    ]
    longdesc = HELP

    def getSynopsis(self) -> str:
        return 'Usage:    buildbot locks [options] <command> [command options]'

    def parseOptions(self, options: Any = None) -> None:
        try:
            super().parseOptions(options)
        except usage.UsageError as e:
            command = f'buildbot locks {getattr(self, "subCommand", None) or ""}'.strip()
            words = str(e).rstrip('.')
            print(f'buildbot locks: {words}; see {command} --help', file=sys.stderr)
            raise SystemExit(WRONG_USE) from None

    def postOptions(self) -> None:
        super().postOptions()
        if not hasattr(self, 'subOptions'):
            raise usage.UsageError('no command was given')
