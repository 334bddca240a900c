# SPDX-License-Identifier: GPL-2.0-only
"""New: runs of ``buildbot locks`` against a master that answers what a test says."""

from __future__ import annotations

import os
import time
from typing import Any
from unittest import mock

from twisted.internet import defer
from twisted.internet import reactor
from twisted.trial import unittest

from buildbot.clients.locks.command import run
from buildbot.scripts.base import SubcommandOptions
from buildbot.scripts.locks import LocksOptions
from buildbot.test.util.answering import FakeMaster
from buildbot.test.util.answering import Terminal
from buildbot.test.util.lab import set_up
from buildbot.test.util.lockrows import of_lab


class CommandCase(unittest.TestCase):
    """One run of the command or several, with what they write in ``out`` and ``err``.

    :ivar source: from where a question is answered; None if nobody is there to.
    """

    source: Any = None

    @set_up
    def setUp(self) -> Any:
        kept = {k: v for k, v in os.environ.items() if not k.startswith('BUILDBOT_LOCKS')}
        words = {**kept, 'TZ': 'UTC', 'TERM': 'xterm', 'COLUMNS': '80'}
        patched = mock.patch.dict(os.environ, words, clear=True)
        patched.start()
        time.tzset()
        self.addCleanup(time.tzset)
        self.addCleanup(patched.stop)
        os.environ.pop('NO_COLOR', None)
        self.options_file: dict[str, str] = {}
        self.patch(SubcommandOptions, 'loadOptionsFile', lambda _: self.options_file)
        self.master = FakeMaster()
        self.master.answers = of_lab()
        self.url = yield self.master.start(self)
        self.out, self.err = Terminal(), Terminal()

    def options(self, *arguments: str) -> Any:
        parsed = LocksOptions()
        parsed.parseOptions([a.replace('URL', self.url) for a in arguments])
        return parsed.subOptions

    def begin(self, *arguments: str) -> Any:
        """Begin to run the command; return a Deferred of its exit status."""
        config = self.options('--master', self.url, *arguments)
        return defer.Deferred.fromCoroutine(run(reactor, config, self.out, self.err, self.source))

    @defer.inlineCallbacks
    def assert_says(self, arguments: list[str], status: int, out: str, err: str) -> Any:
        code = yield self.begin(*arguments)
        said = self.out.getvalue(), self.err.getvalue().replace(self.url, 'URL')
        self.assertEqual((*said, code), (out, err, status))

    def assert_fails(self, arguments: list[str], sentence: str) -> Any:
        return self.assert_says(arguments, 1, '', f'buildbot locks: {sentence}\n')
