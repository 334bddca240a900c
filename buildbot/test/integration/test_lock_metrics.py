# SPDX-License-Identifier: GPL-2.0-only
"""What Prometheus is told of locks."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import defer
from twisted.internet import endpoints
from twisted.trial import unittest
from twisted.web.test.requesthelper import DummyRequest

from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.process.eye.history import History
from buildbot.process.results import SUCCESS
from buildbot.reporters import lockmetrics
from buildbot.reporters.lockmetrics import LockMetrics
from buildbot.test.util.config import ConfigErrorsMixin
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Config(ConfigErrorsMixin, unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('word', 'nine'),
            ('zero', 0),
            ('too_large', 65536),
            ('nothing', None),
            ('truth', True),
            ('list', []),
        ]
    )
    def test_bad_port(self, _: str, port: Any) -> None:
        """A port that is none is refused in one sentence."""
        self.assertRaisesConfigError(
            f'LockMetrics: {port!r} is not a port; use a number from 1 to 65535, or an endpoint'
            " such as 'tcp:9101:interface=127.0.0.1'",
            lambda: LockMetrics(port=port),
        )

    @parameterized.expand([(9101,), ('tcp:9101:interface=127.0.0.1',), ('unix:metrics.sock',)])
    def test_good_port(self, port: Any) -> None:
        """A number and an endpoint are ports."""
        LockMetrics(port=port)

    def test_not_installed(self) -> None:
        """Without the library the configuration is refused in one sentence."""
        self.patch(lockmetrics, 'prometheus_client', None)
        with self.assertRaises(ConfigErrors) as caught, capture_config_errors(raise_on_error=True):
            LockMetrics()
        self.assertEqual(
            caught.exception.errors,
            [
                'LockMetrics needs prometheus_client, which is not installed; it comes with pip'
                ' install prometheus_client'
            ],
        )


class Endpoint:
    """Stands for an endpoint, and for what listens there.

    :ivar listening: the descriptions of the endpoints at which it is listened.
    """

    listening: list[str] = []

    def __init__(self, reactor: Any, description: str) -> None:
        self.description = description

    def listen(self, factory: Any) -> Any:
        if self.description == 'tcp:9999':
            raise OSError('it is in use')
        self.listening.append(self.description)
        return defer.succeed(self)

    def stopListening(self) -> None:
        self.listening.remove(self.description)


class Told(LabTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(Endpoint, 'listening', [])
        self.patch(endpoints, 'serverFromString', Endpoint)

    @defer.inlineCallbacks
    def start(self, builders: dict[str, Any]) -> Any:
        self.metrics = LockMetrics(port=9101)
        yield self.setup_lab(builders, services=[self.metrics])

    def told(self, name: str, **labels: str) -> list[float]:
        """Return the values of a metric, in order of its labels, or that of one label."""
        request = DummyRequest([b'metrics'])
        leaf = self.metrics.resource().getChildWithDefault(b'metrics', request)
        text = leaf.render_GET(request).decode()
        return [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f'buildbot_{name}' and labels.items() <= sample.labels.items()
        ]

    @defer.inlineCallbacks
    def test_locks(self) -> Any:
        """Copies are summed, and what has ended is counted by how long it took."""
        gate = Gate()
        want = {'steps': [GatedStep(gate)], 'locks': [BranchLock('v', 2).access('exclusive')]}
        yield self.start({name: want for name in 'abc'})
        for name, branch in (('a', 'x'), ('b', 'y'), ('c', 'y')):
            yield self.request(name, branch)
        self.reactor.advance(100)
        for name, value in (
            ('lock_used_units', 4),
            ('lock_capacity_units', 4),
            ('lock_waiting', 1),
            ('lock_oldest_wait_seconds', 102),
        ):
            self.assertEqual(self.told(name, lock='v'), [value], name)
        self.assertEqual(self.told('requests_pending', reason='lock'), [1])
        self.assertEqual(self.told('requests_pending', reason='stopping'), [0])
        while gate.running:
            self.open(gate, SUCCESS)
        self.assertEqual(self.told('lock_hold_seconds_count', lock='v'), [3])
        self.assertEqual(self.told('lock_wait_seconds_sum', lock='v'), [106])
        self.assertEqual(self.told('lock_wait_seconds_bucket', lock='v', le='60.0'), [2])

    @defer.inlineCallbacks
    def test_many_names(self) -> Any:
        """There is an end of the labels, also if there is none of the names."""
        self.patch(lockmetrics, 'MOST', 2)
        gate = Gate()
        locks = [MasterLock(f'L{i}').access('exclusive') for i in range(4)]
        yield self.start({'a': {'steps': [GatedStep(gate)], 'locks': locks}})
        yield self.request('a')
        self.assertEqual(self.told('lock_used_units'), [1, 1, 2])
        self.assertEqual(self.told('lock_used_units', lock='(others)'), [2])

    @defer.inlineCallbacks
    def test_hostile_name(self) -> Any:
        """Whatever is in the name of a lock is a label that can be read."""
        name = 'a"b\\c\nd\u202e{}' + 'x' * 1000
        yield self.start({'a': {'steps': [], 'locks': [MasterLock(name)]}})
        yield self.request('a')
        self.assertEqual(len(self.told('lock_hold_seconds_count')), 1)

    @defer.inlineCallbacks
    def test_stop(self) -> Any:
        """When it is configured no longer, it listens no longer and hears of no use."""
        words = {'a': {'steps': [], 'locks': [MasterLock('L')]}}
        yield self.start(words)
        self.assertEqual(Endpoint.listening, ['tcp:9101'])
        other = LockMetrics(port='tcp:9102:interface=127.0.0.1')
        for services in ([other], []):
            yield self.reconfig_master(self.lab_config(words, services=services))
            self.assertEqual(Endpoint.listening, [s._config_kwargs['port'] for s in services])
        history = yield History.getService(self.master.botmaster)
        self.assertEqual(history.ended.subscriptions, set())

    @defer.inlineCallbacks
    def test_port_in_use(self) -> Any:
        """If it cannot listen the log says so, and builds go on."""
        words = {'a': {'steps': [], 'locks': [MasterLock('L')]}}
        yield self.setup_lab(words, services=[LockMetrics(port=9999)])
        [why] = self.flushLoggedErrors(OSError)
        self.assertEqual(why.getErrorMessage(), 'it is in use')
        yield self.request('a')
        self.assertEqual((yield self.builds()), [SUCCESS])
