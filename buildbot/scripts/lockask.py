# SPDX-License-Identifier: GPL-2.0-only
"""New: what every sub command of ``buildbot locks`` is told: which master to ask, and who asks."""

from __future__ import annotations

import contextlib
import getopt
import getpass
import os
import re
import sys
from types import MappingProxyType
from typing import Any
from typing import Mapping
from typing import Sequence

from twisted.python import usage
from twisted.python.reflect import namedAny

from buildbot.clients.locks.address import master_url
from buildbot.scripts import base

DEFAULT = 'http://localhost:8010/'

FLAGS = [['json', 'j', 'Write JSON: the answer of the master as it is']]
PARAMETERS = [
    ['master', 'm', None, f'Address of the web page of the master (default {DEFAULT})'],
    ['user', 'u', None, 'User who logs in; the password is asked for'],
]

#: the options that are numbers, and the least of each
NUMBERS = {'limit': 0, 'days': 1, 'units': 1, 'hold': 1}


def token() -> str | None:
    """Return the token from the environment; an empty one counts as none."""
    return os.environ.get('BUILDBOT_LOCKS_TOKEN') or None


class AskOptions(base.SubcommandOptions):
    """What all sub commands have in common. It is not a command itself.

    :cvar name: of the sub command.
    :cvar arguments: as the usage text shows them.
    :cvar takes: their names.
    :cvar may_take: optional arguments, with their defaults.
    """

    name = ''
    arguments = ''
    takes: Sequence[str] = ()
    may_take: Mapping[str, str | None] = MappingProxyType({})
    optFlags = FLAGS
    optParameters = PARAMETERS
    parent: Any

    def getSynopsis(self) -> str:
        return f'Usage:    buildbot locks {self.name} [options] {self.arguments}'.rstrip()

    def parseOptions(self, options: Any = None) -> None:
        """Accept options after arguments, too: ``show jtag --json``."""
        try:
            given, arguments = getopt.gnu_getopt(options, self.shortOpt, self.longOpt)
        except getopt.error as e:
            raise usage.UsageError(str(e)) from None
        values = (
            f'{name[2:]}=' in self.longOpt or f'{name[1:]}:' in self.shortOpt for name, _ in given
        )
        parts = [part for pair, has in zip(given, values) for part in pair[: 1 + has]]
        super().parseOptions([*parts, '--', *arguments])

    def parseArgs(self, *words: str) -> None:
        names = [*self.takes, *self.may_take]
        if not len(self.takes) <= len(words) <= len(names):
            raise usage.UsageError('Wrong number of arguments.')
        self.update({**self.may_take, **dict(zip(names, words))})

    def postOptions(self) -> None:
        super().postOptions()
        for name, least in NUMBERS.items():
            if self.get(name) is not None:
                self[name] = self._number(name, least)
        self['json'] = self['json'] or self.parent['json']
        asked_of = self.setting('master')
        self['master'] = self._address(asked_of or DEFAULT)
        self['user'] = self.setting('user')
        self.find_master(asked_of is not None)
        self['credentials'] = self._credentials()

    def find_master(self, is_told: bool) -> None:
        """Find out whether the arguments also say which master it is.

        :param is_told: whether the options do.
        """

    def setting(self, name: str) -> str | None:
        """Return what the user has set; an empty word counts as nothing."""
        return (
            self[name]
            or self.parent[name]
            or os.environ.get(f'BUILDBOT_LOCKS_{name.upper()}')
            or self._options_file.get(f'locks_{name}')
            or None
        )

    @property
    def _options_file(self) -> dict[str, Any]:
        with contextlib.redirect_stdout(sys.stderr):  # its output must not get into the answer
            return self.loadOptionsFile()

    def _address(self, text: str) -> str:
        try:
            return master_url(text)
        except ValueError as e:
            raise usage.UsageError(str(e)) from None

    def _credentials(self) -> Any:
        api = namedAny('buildbot.clients.locks.api')  # no other command needs it
        user = self['user']
        if user is None:
            text = token()
            if text is not None and not re.fullmatch(r'[\w.=-]+', text, re.ASCII):
                raise usage.UsageError('BUILDBOT_LOCKS_TOKEN does not contain a token')
            return None if text is None else api.Token(text)
        if ':' in user:
            raise usage.UsageError('the name of a user cannot contain a colon')
        password = os.environ.get('BUILDBOT_LOCKS_PASSWD')
        if password is None:
            if not sys.stdin.isatty():
                raise usage.UsageError(
                    'there is no terminal to ask for the password; set BUILDBOT_LOCKS_PASSWD'
                )
            password = getpass.getpass(f'Password of {user} at {self["master"]}: ')
        return api.Credentials(user, password)

    def _number(self, name: str, least: int) -> int:
        try:
            number = int(self[name])
        except ValueError:
            number = least - 1
        if number < least:
            raise usage.UsageError(f'--{name} must be a number from {least}')
        return number
