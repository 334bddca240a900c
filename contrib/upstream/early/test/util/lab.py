# SPDX-License-Identifier: GPL-2.0-only
"""Builds on a master in memory, before anything finds what is left of those that have ended."""

from __future__ import annotations

from typing import Any
from typing import Mapping
from typing import Sequence

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.test.util.integration import RunFakeMasterTestCase


class LabTestCase(RunFakeMasterTestCase):
    @defer.inlineCallbacks
    def setup_lab(
        self,
        builders: Mapping[str, Any],
        workers: Sequence[Any] = ('w1',),
        **config: Any,
    ) -> Any:
        """Start a master.

        :param builders: for each name, what ``BuilderConfig`` takes; ``steps`` stands for a factory
            of these steps, and the workers are all there are.
        :param workers: names, or workers as ``createLocalWorker`` makes them.
        """
        self.lab_workers = [self.createLocalWorker(w) if isinstance(w, str) else w for w in workers]
        yield self.setup_master(self.lab_config(builders, **config))
        self.addCleanup(self._forget_last_words, self.master)
        # all paths are known now: Buildbot would put them in order again at each look
        self.master.data.matcher._dirty = False

    def _check_branch(self, branch: str) -> None:
        if self.master.db.pool.engine.dialect.name != 'sqlite' and len(branch) > 256:
            raise unittest.SkipTest('this database cannot have such a branch')
