# SPDX-License-Identifier: GPL-2.0-only
"""Locks before anything limits them, and before people hold any."""

from __future__ import annotations

from typing import Any
from typing import ClassVar
from typing import Sequence

from buildbot import config
from buildbot import util
from buildbot.config.words import hint
from buildbot.config.words import why_unwritable
from buildbot.config.words import words_for
from buildbot.locks import Rule
from buildbot.locks import _RenderedKey
from buildbot.locks import is_span
from buildbot.locks import is_word


class BaseLockId(util.ComparableMixin):
    #: what may be said about a lock of any kind, by name of the argument
    RULES: ClassVar[dict[str, Rule]] = {
        'maxWait': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'maxHold': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'whenTooLong': Rule('fail', is_word('report'), "'fail' or 'report'"),
    }

    def __repr__(self) -> str:
        given = [(attr.lstrip('_'), getattr(self, attr)) for attr in self.compare_attrs]
        words = [f'{attr}={value!r}' for attr, value in given[1:] if value not in (None, ())]
        return f'{type(self).__name__}({", ".join([repr(self.name), *words])})'


class MasterLock(BaseLockId):
    compare_attrs: ClassVar[Sequence[str]] = ('name', 'maxCount')

    def __init__(self, name: str, maxCount: int = 1) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check()


class WorkerLock(BaseLockId):
    compare_attrs: ClassVar[Sequence[str]] = ('name', 'maxCount', '_maxCountForWorkerList')

    def __init__(
        self, name: str, maxCount: int = 1, maxCountForWorker: dict[str, int] | None = None
    ) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check('maxCountForWorker', maxCountForWorker)
        self.maxCountForWorker = dict(maxCountForWorker or {})
        self._maxCountForWorkerList = tuple(sorted(self.maxCountForWorker.items()))


class BranchLock(BaseLockId):
    compare_attrs: ClassVar[Sequence[str]] = (
        'name',
        'maxCount',
        '_maxCountForBranchList',
        'codebase',
        'defaultBranch',
        '_key',
    )

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForBranch: dict[str, int] | None = None,
        codebase: str | None = None,
        defaultBranch: str | None = None,
        key: Any = None,
    ) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check('maxCountForBranch', maxCountForBranch)
        self.maxCountForBranch = dict(maxCountForBranch or {})
        self.codebase = codebase
        self.defaultBranch = defaultBranch
        self.key = key
        for what, value in (('codebase', codebase), ('defaultBranch', defaultBranch)):
            if value is not None and not isinstance(value, str):
                config.error(self._sentence(f'{what} must be a string, not {value!r}'))
            elif value is not None and why_unwritable(value):
                config.error(self._sentence(f'{what} {value!r} has {why_unwritable(value)}'))
        if key is not None and (codebase is not None or defaultBranch is not None):
            config.error(
                self._sentence('it has a key, so it can have no codebase and no defaultBranch')
            )
        if hint(key):
            config.error(self._sentence(f'key cannot be {words_for(key)}{hint(key)}'))
        elif isinstance(key, str) and why_unwritable(key):
            config.error(self._sentence(f'key {key!r} has {why_unwritable(key)}'))
        # the order of patterns has a meaning, so it is part of the comparison
        self._maxCountForBranchList = tuple(self.maxCountForBranch.items())
        self._key = None if key is None else _RenderedKey(key)
