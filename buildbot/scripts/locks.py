# SPDX-License-Identifier: GPL-2.0-only
"""New: what ``buildbot locks`` is told: by its options, the environment and the options file."""

from __future__ import annotations

import contextlib
import getopt
import getpass
import os
import sys
from typing import Any

from twisted.python import usage

from buildbot.clients.locks.address import master_url
from buildbot.clients.locks.address import thing_at
from buildbot.scripts import base

DEFAULT = 'http://localhost:8010/'

#: exit status of a command that is used in a wrong way
WRONG_USE = 2

FLAGS = [['json', 'j', 'Write JSON: what the master says, as it says it']]
PARAMETERS = [
    ['master', 'm', None, f'Address of the web page of the master (default {DEFAULT})'],
    ['user', 'u', None, 'User who logs in; the password is asked for'],
]
LIMIT = ['limit', 'n', 20, 'How many to show at most; 0 shows all']

HELP = """
What is not given is taken from the environment (BUILDBOT_LOCKS_MASTER, BUILDBOT_LOCKS_USER,
BUILDBOT_LOCKS_PASSWD), then from .buildbot/options (locks_master, locks_user).

Exit status: 0 if it was answered, 1 if not, 2 if the command was used in a wrong way."""


class AskOptions(base.SubcommandOptions):
    """What all sub commands have in common.

    :cvar name: of the sub command.
    :cvar arguments: as they are written in its usage.
    """

    name = ''
    arguments = ''
    optFlags = FLAGS
    parent: Any

    def getSynopsis(self) -> str:
        return f'Usage:    buildbot locks {self.name} [options] {self.arguments}'.rstrip()

    def parseOptions(self, options: Any = None) -> None:
        """Take options behind arguments, too: ``show jtag --json``."""
        try:
            given, arguments = getopt.gnu_getopt(options, self.shortOpt, self.longOpt)
        except getopt.error as e:
            raise usage.UsageError(str(e)) from None
        values = (
            f'{name[2:]}=' in self.longOpt or f'{name[1:]}:' in self.shortOpt for name, _ in given
        )
        parts = [part for pair, has in zip(given, values) for part in pair[: 1 + has]]
        super().parseOptions([*parts, '--', *arguments])

    def postOptions(self) -> None:
        super().postOptions()
        self['json'] = self['json'] or self.parent['json']
        asked_of = self.setting('master')
        self['master'] = self._address(asked_of or DEFAULT)
        self['user'] = self.setting('user')
        self.find_master(asked_of is not None)
        self['credentials'] = self._credentials()

    def find_master(self, is_told: bool) -> None:
        """Look whether the arguments, too, say which master it is.

        :param is_told: whether the options do.
        """

    def setting(self, name: str) -> str | None:
        """Return what the user has set; an empty word is as good as none."""
        return (
            self[name]
            or self.parent[name]
            or os.environ.get(f'BUILDBOT_LOCKS_{name.upper()}')
            or self._options_file.get(f'locks_{name}')
            or None
        )

    @property
    def _options_file(self) -> dict[str, Any]:
        with contextlib.redirect_stdout(sys.stderr):  # what it says must not get into the answer
            return self.loadOptionsFile()

    def _address(self, text: str) -> str:
        try:
            return master_url(text)
        except ValueError as e:
            raise usage.UsageError(str(e)) from None

    def _credentials(self) -> Any:
        from buildbot.clients.locks.api import Credentials

        user = self['user']
        if user is None:
            return None
        if ':' in user:
            raise usage.UsageError('a name of a user has no colon')
        password = os.environ.get('BUILDBOT_LOCKS_PASSWD')
        if password is None:
            if not sys.stdin.isatty():
                raise usage.UsageError(
                    'there is no terminal to ask for the password; set BUILDBOT_LOCKS_PASSWD'
                )
            password = getpass.getpass(f'Password of {user} at {self["master"]}: ')
        return Credentials(user, password)

    def number(self, name: str, least: int) -> int:
        try:
            number = int(self[name])
        except ValueError:
            number = least - 1
        if number < least:
            raise usage.UsageError(f'--{name} wants a number from {least}')
        return number


class ListOptions(AskOptions):
    name = 'list'
    optParameters = [*PARAMETERS]

    def parseArgs(self) -> None:
        pass


class ShowOptions(AskOptions):
    name = 'show'
    arguments = 'LOCK'
    optParameters = [*PARAMETERS, LIMIT]
    longdesc = 'LOCK is the name or id of a lock, or the name of a copy, such as jtag[board-1].'

    def parseArgs(self, lock: str) -> None:
        self['lock'] = lock

    def postOptions(self) -> None:
        self['limit'] = self.number('limit', 0)
        super().postOptions()


class WhyOptions(AskOptions):
    name = 'why'
    arguments = 'URL|REQUEST-ID'
    optParameters = [*PARAMETERS]
    longdesc = """URL is the address of a build, build request, step or builder in the browser; it
    says which master it is, too. REQUEST-ID is the id of a build request."""

    def parseArgs(self, thing: str) -> None:
        try:
            self['thing'] = thing_at(thing)
        except ValueError as e:
            raise usage.UsageError(str(e)) from None

    def find_master(self, is_told: bool) -> None:
        there = self['thing'].master
        if there in (None, self['master']):
            return
        if is_told:
            raise usage.UsageError(f'{there} is not the master {self["master"]}; name one of them')
        if self['user'] is not None:
            # whoever sends somebody a link must not get his password by it
            raise usage.UsageError(f'to log in there, say so: --master {there}')
        self['master'] = there


class WatchOptions(AskOptions):
    name = 'watch'
    arguments = '[LOCK]'
    optParameters = [*PARAMETERS]
    longdesc = 'A line for each thing that happens to a lock, until Ctrl-C.'

    def parseArgs(self, lock: str | None = None) -> None:
        self['lock'] = lock


class TopOptions(AskOptions):
    name = 'top'
    optParameters = [*PARAMETERS, LIMIT, ['days', 'd', 7, 'Of how many days, until now']]

    def parseArgs(self) -> None:
        pass

    def postOptions(self) -> None:
        self['limit'] = self.number('limit', 0)
        self['days'] = self.number('days', 1)
        super().postOptions()


class LocksOptions(base.SubcommandOptions):
    subcommandFunction = 'buildbot.clients.locks.command.locks'
    optFlags = FLAGS
    optParameters = [*PARAMETERS]
    subCommands = [
        ['list', None, ListOptions, 'All locks: how much is in use, and who waits'],
        ['show', None, ShowOptions, 'A lock: who holds it, and who waits, in order'],
        ['why', None, WhyOptions, 'Why a build, a build request, a step or a builder waits'],
        ['watch', None, WatchOptions, 'What happens to locks, as it happens'],
        ['top', None, TopOptions, 'Which locks cost most, by builder'],
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
            raise usage.UsageError('there is no command')
