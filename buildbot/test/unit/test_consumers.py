# SPDX-License-Identifier: GPL-2.0-only
"""New: who consumes messages, found by how a message begins."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.mq import simple
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up


class Messages(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self) -> Any:
        self.heard: list[str] = []
        self.mq = simple.SimpleMQ()
        self.setup_test_reactor()
        yield self.mq.setServiceParent((yield fakemaster.make_master(self)))

    def consume(self, name, *words):
        found = self.mq.startConsuming(lambda *_: self.heard.append(name), words)
        return self.successResultOf(found)

    @parameterized.expand(
        [
            ('first_word', ('a', 'x'), ['a any', 'any x']),
            ('none_of_its_first_word', ('c', 'x'), ['any x']),
            ('longer', ('a', 'x', 'y'), ['long']),
            ('empty', (), ['empty']),
            ('nobody', ('a',), []),
        ]
    )
    def test_heard(self, _, key, heard):
        """A message reaches those whose filters match, in the order in which they came."""
        self.consume('a any', 'a', None)
        self.consume('any x', None, 'x')
        self.consume('b', 'b', None)
        self.consume('long', None, None, 'y')
        self.consume('empty')
        self.mq.produce(key, {})
        self.assertEqual(self.heard, heard)

    def test_is_heard(self):
        """A message is heard by whoever consumes it, and by the log with debug."""
        self.consume('a any', 'a', None)
        keys = [('a', 'new'), ('b', 'new'), ('a',)]
        self.assertEqual([self.mq.is_heard(key) for key in keys], [True, False, False])
        self.mq.debug = True
        self.assertTrue(self.mq.is_heard(('b', 'new')))

    def test_order(self):
        """Who listens to any word is called between those who came before and after."""
        for name, word in (('1', 'a'), ('2', None), ('3', 'a'), ('4', None)):
            self.consume(name, word)
        self.mq.produce(('a',), {})
        self.assertEqual(self.heard, ['1', '2', '3', '4'])
        self.assertEqual([q.filter for q in self.mq.qrefs], [('a',), (None,), ('a',), (None,)])

    def test_consumes_no_longer(self):
        """Who has stopped hears nothing, may do so again, and leaves nothing behind."""
        consumer = self.consume('a', 'a')
        consumer.stopConsuming()
        consumer.stopConsuming()
        self.mq.produce(('a',), {})
        self.assertEqual((self.heard, list(self.mq.qrefs)), ([], []))

    def test_stopped_by_another(self):
        """Who is stopped by an earlier one's call does not hear of that message."""
        second: Any
        stop = self.mq.startConsuming(lambda *_: second.stopConsuming(), ('a',))
        second = self.consume('second', 'a')
        self.consume('third', 'a')
        self.mq.produce(('a',), {})
        self.assertEqual(self.heard, ['third'])
        self.successResultOf(stop).stopConsuming()

    def test_not_compared(self):
        """A message is compared with no filter that begins with another word."""
        compared = []

        def match(key, words):
            compared.append(words)
            return False

        self.patch(simple.tuplematch, 'matchTuple', match)
        for i in range(5):
            self.consume(f'worker {i}', 'control', 'worker', str(i), None)
        self.consume('steps', 'steps', None, None, 'new')
        self.mq.produce(('steps', '1', '2', 'new'), {})
        self.assertEqual(compared, [('steps', None, None, 'new')])

    def test_debug(self):
        """With debug the log tells each message, in Buildbot's words."""
        said: list[Any] = []
        self.patch(simple.log, 'msg', said.append)
        self.mq.debug = True
        self.mq.produce(('a', 'new'), {'id': 1})
        self.assertEqual(said, ["MSG: ('a', 'new')\n{'id': 1}"])
