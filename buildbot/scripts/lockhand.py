# SPDX-License-Identifier: GPL-2.0-only
"""New: the options of those sub commands of ``buildbot locks`` that change something."""

from __future__ import annotations

import sys
import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Sequence

from twisted.python import usage
from twisted.python.reflect import namedAny

from buildbot.clients.locks.until import end_at
from buildbot.scripts.lockask import AskOptions

if TYPE_CHECKING:
    from buildbot.clients.locks.meant import Of

YES = ['yes', 'y', 'Do not ask; act on the copy whatever its state is']

#: says which copy is meant, if its name does not
WHOSE = [
    ['worker', 'w', None, 'The copy of this worker'],
    ['branch', 'b', None, 'The copy of this branch'],
    ['key', 'k', None, 'The copy for this key'],
    ['codebase', 'c', None, 'The codebase of the branch'],
]
REASON = ['reason', 'r', None, 'Why']
UNTIL = [
    'until',
    't',
    None,
    'When it ends: a time of day (15:00), a date with a time, or for how long (2h, 90m)',
]
HOLD = ['hold', 'H', None, 'The number of the hold; not needed if you have only one of the copy']

LONGDESC = """COPY is the name of a copy of a lock, such as jtag[board-1], or that of a lock with
--worker or --branch. The command shows the state of the copy and asks whether to continue. If
the copy has changed meanwhile, nothing is done."""

WHO = """WHO is a name as 'buildbot locks show' prints it, its beginning ('fw #12'), or its id."""


class ActOptions(AskOptions):
    """What the sub commands that change something have in common. It is not a command itself.

    :cvar needs_reason: whether the user must give a reason.
    """

    arguments = 'COPY'
    takes: Sequence[str] = ('lock',)
    needs_reason = False
    optFlags = [YES]
    optParameters = [*WHOSE, REASON]
    longdesc = LONGDESC

    def __init__(self) -> None:
        super().__init__()
        self['version'] = None

    def opt_version(self, version: str) -> None:  # type: ignore[override]  # it takes none there
        """Do not ask; it is done to this version of the copy only (see show --json)"""
        self['version'] = version

    def postOptions(self) -> None:
        if 'until' in self:
            self._check_until()
        if self.needs_reason and not (self['reason'] or '').strip():
            raise usage.UsageError('--reason must say why')
        self.of = self._whose()
        is_asked = self['version'] is None and not self['yes']
        if is_asked and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise usage.UsageError(
                'there is no terminal to ask for confirmation; give --yes, or the --version of the'
                ' copy that you looked at'
            )
        super().postOptions()

    def _whose(self) -> Of:
        of: type[Of] = namedAny('buildbot.clients.locks.meant.Of')  # as in lockask
        given = [name for name in ('worker', 'branch', 'key') if self[name] is not None]
        if len(given) > 1:
            raise usage.UsageError(f'--{given[0]} and --{given[1]} cannot be used together')
        codebase = self['codebase']
        if given:
            return of(f'--{given[0]}', self[given[0]], codebase)
        return of() if codebase is None else of('--codebase', None, codebase)

    def _check_until(self) -> None:
        if self['until'] is None:
            raise usage.UsageError('--until must say when it ends')
        try:
            end_at(self['until'], time.time())
        except ValueError as e:
            raise usage.UsageError(str(e)) from None


class HoldOptions(ActOptions):
    """Options of ``hold``, which holds a copy by hand."""

    name = 'hold'
    needs_reason = True
    optParameters = [UNTIL, ['units', 'U', None, 'Hold this many units, not all of the copy']]


class ExtendOptions(ActOptions):
    """Options of ``extend``, which moves the end of a hold."""

    name = 'extend'
    optParameters = [UNTIL, HOLD]


class ReleaseOptions(ActOptions):
    """Options of ``release``, which ends a hold."""

    name = 'release'
    optParameters = [HOLD]


class HandoverOptions(ReleaseOptions):
    """Options of ``handover``, which gives a hold to another person."""

    name = 'handover'
    arguments = 'COPY PERSON'
    takes = ('lock', 'person')


class BackOptions(ActOptions):
    """Options of ``back``, which returns a waiter to its own place in line."""

    name = 'back'
    arguments = 'COPY [WHO]'
    may_take = MappingProxyType({'who': ''})
    longdesc = f'{LONGDESC} {WHO} Without WHO, it is the only one who waits.'


class FirstOptions(BackOptions):
    """Options of ``first``, which moves a waiter to the front."""

    name = 'first'
    needs_reason = True


class KickOptions(BackOptions):
    """Options of ``kick``, which stops the build or ends the hold of a holder."""

    name = 'kick'
    needs_reason = True
    longdesc = f'{LONGDESC} {WHO} Without WHO, it is the only one who holds the copy.'


class QuarantineOptions(ActOptions):
    """Options of ``quarantine``, which takes a copy out of use."""

    name = 'quarantine'
    needs_reason = True


class RestoreOptions(ActOptions):
    """Options of ``restore``, which puts a copy back into use."""

    name = 'restore'
    needs_reason = True


COMMANDS: list[Any] = [
    ['hold', None, HoldOptions, 'Hold a copy yourself, or stand in line for it'],
    ['extend', None, ExtendOptions, 'Give your hold a new end'],
    ['release', None, ReleaseOptions, 'End your hold, or your wait for it'],
    ['handover', None, HandoverOptions, 'Give your hold to another person'],
    ['first', None, FirstOptions, 'Let one who waits go first'],
    ['back', None, BackOptions, 'Give one who goes first its own place back'],
    ['kick', None, KickOptions, 'Stop the build that holds a copy, or end the hold of a person'],
    ['quarantine', None, QuarantineOptions, 'Take a copy out of use'],
    ['restore', None, RestoreOptions, 'Put a copy back into use'],
]
