# SPDX-License-Identifier: GPL-2.0-only
"""The Locks page of a pool of resources, in a real browser."""

from __future__ import annotations

from twisted.internet import defer

from buildbot.plugins import util
from buildbot.process.results import SUCCESS
from buildbot.test.util.pagecase import PageCase


class Pools(PageCase):
    passwords = {'ann': 'ann'}

    def more_builders(self, builder):
        boards = util.ResourcePool(
            'boards',
            [
                util.Resource('board-1', labels=['hw-a', 'stm32']),
                util.Resource('board-2', labels=['hw-c', 'stm32']),
            ],
        )
        words = {'steps': {'locks': [boards.access()]}}
        return [builder(name, **words) for name in ('smoke', 'link')]

    @defer.inlineCallbacks
    def test_it_follows(self):
        """The page of a pool tells who has which board and what it is; a person takes another."""
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see('boards', 'a pool of resources', '0 of 2')
        yield window.click('boards')
        yield window.see('Resources', 'resource board-1 hw-a stm32', 'resource board-2 hw-c stm32')
        yield self.start('smoke')
        yield window.see('Held by 1', 'smoke #1 / flash', '1 of 2')
        yield self.fits(window, 'pool')
        yield window.click('boards[board-1]')
        yield window.see('of resource board-1 hw-a stm32', '1 of 1', 'smoke #1 / flash')
        self.gate.open(SUCCESS)
        yield window.see('0 of 1', 'Nobody holds it.')
