# SPDX-License-Identifier: GPL-2.0-only
"""New: metrics of locks and of pending requests for Prometheus."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from importlib import import_module
from typing import Any
from typing import Iterable
from typing import Iterator

from twisted.internet import defer
from twisted.internet import endpoints
from twisted.python import log
from twisted.web import resource
from twisted.web import server

from buildbot.config import error
from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import CircleError
from buildbot.process.eye.history import History
from buildbot.process.eye.reason import KINDS
from buildbot.process.eye.reasons import why_pending
from buildbot.process.eye.rows import copies_in_use
from buildbot.process.eye.rows import copies_to_see
from buildbot.process.eye.rows import oldest_wait
from buildbot.process.eye.use import Use
from buildbot.process.eye.words import plain
from buildbot.process.sweep import Leftover
from buildbot.process.sweep import Sweep
from buildbot.util.service import BuildbotService

prometheus_client: Any = None
with suppress(ImportError):
    prometheus_client = import_module('prometheus_client')
    from prometheus_client.core import GaugeMetricFamily

#: the most locks that have metrics of their own; the others are added up
MOST = 500

#: the label of the others
OTHERS = '(others)'

#: bounds of the buckets of waits and holds, in seconds
BUCKETS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class LockMetrics(BuildbotService):
    """Serves metrics under ``/metrics``, for Prometheus to fetch. It sends nothing by itself.

    :param port: a number, or an endpoint such as ``tcp:9101:interface=127.0.0.1``.
    """

    name = 'LockMetrics'
    _listener: Any = None
    _listens_at: str | None = None
    _subscriptions: Iterable[Any] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = Labels()
        # None without prometheus_client; checkConfig then refuses the configuration
        self._counted: Any = Times(self._names) if prometheus_client is not None else None

    def checkConfig(self, port: Any = 9101) -> None:
        if prometheus_client is None:
            error(
                'LockMetrics needs prometheus_client, which is not installed; it comes with pip'
                ' install prometheus_client'
            )
        if not is_port(port):
            error(
                f'LockMetrics: {port!r} is not a port; use a number from 1 to 65535, or an endpoint'
                " such as 'tcp:9101:interface=127.0.0.1'"
            )

    @defer.inlineCallbacks
    def reconfigService(self, port: Any = 9101) -> Any:
        at = f'tcp:{port}' if isinstance(port, int) else port
        if at == self._listens_at:
            return
        yield self._stop_listening()
        self._listens_at = at
        try:
            endpoint = endpoints.serverFromString(self.master.reactor, at)
            self._listener = yield endpoint.listen(server.Site(self.resource()))
        except Exception as e:
            log.err(e, f'LockMetrics cannot listen at {at}, so there are no metrics of locks')

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        botmaster, counted = self.master.botmaster, self._counted
        history = yield History.getService(botmaster)
        sweep = yield Sweep.getService(botmaster)
        self._subscriptions = [
            history.ended.subscribe(counted.hear),
            sweep.leftovers.subscribe(counted.hear_of_leftover),
            botmaster.knots.ended.subscribe(counted.hear_of_deadlock),
        ]

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        subscriptions, self._subscriptions = self._subscriptions, ()
        for subscription in subscriptions:
            subscription.unsubscribe()
        yield self._stop_listening()
        yield super().stopService()

    @defer.inlineCallbacks
    def _stop_listening(self) -> Any:
        listener, self._listener, self._listens_at = self._listener, None, None
        if listener is not None:
            yield listener.stopListening()

    def resource(self) -> resource.Resource:
        """Return what is served: the metrics, as the child ``metrics`` of an empty page."""
        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(Gauges(self.master, self._names))
        self._counted.register(registry)
        root = resource.Resource()
        root.putChild(b'metrics', Metrics(registry))
        return root


class Metrics(resource.Resource):
    """The page that Prometheus fetches, made in the reactor's thread, where nothing changes."""

    isLeaf = True

    def __init__(self, registry: Any) -> None:
        super().__init__()
        self._registry = registry

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b'content-type', prometheus_client.CONTENT_TYPE_LATEST.encode())
        return prometheus_client.generate_latest(self._registry)


class Labels:
    """The names of locks that are labels: a limited number, since rendered names have no end."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, lock: str) -> str:
        """Return the label of a lock, which other locks may share."""
        name = plain(lock)
        if name not in self._known:
            if len(self._known) >= MOST:
                return OTHERS
            self._known.add(name)
        return name


class Times:
    """Counts waits, holds, deadlocks and leftovers by lock. It knows no present use."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        words: dict[str, Any] = {'labelnames': ['lock'], 'buckets': BUCKETS, 'registry': None}
        self._wait = prometheus_client.Histogram(
            'buildbot_lock_wait_seconds', 'How long claims waited for a lock that they got', **words
        )
        self._hold = prometheus_client.Histogram(
            'buildbot_lock_hold_seconds', 'How long a lock was held', **words
        )
        self._deadlocks = prometheus_client.Counter(
            'buildbot_lock_deadlocks',
            'How often a wait was ended because it could never have come to anything',
            labelnames=['lock'],
            registry=None,
        )
        self._leftovers = prometheus_client.Counter(
            'buildbot_lock_leftovers',
            'How often a lock was found held or waited for by what has ended, which is a bug',
            labelnames=['lock'],
            registry=None,
        )

    def register(self, registry: Any) -> None:
        registry.register(self._wait)
        registry.register(self._hold)
        registry.register(self._leftovers)
        registry.register(self._deadlocks)

    def hear_of_leftover(self, leftover: Leftover) -> None:
        """Count a holding or wait without a living owner."""
        self._leftovers.labels(self._labels.label(leftover.copy.lockName)).inc()

    def hear_of_deadlock(self, owner: Any, error: CircleError) -> None:
        """Count a wait that was ended, for a lock that its owner kept from others or waited for."""
        lock = '' if error.lock is None else self._labels.label(error.lock.lockName)
        self._deadlocks.labels(lock).inc()

    def hear(self, use: Use) -> None:
        """Count a use that has ended."""
        if use.held is None or use.nested or use.is_further:
            return
        lock = self._labels.label(use.lock)
        self._wait.labels(lock).observe(use.waited or 0)
        self._hold.labels(lock).observe(use.held)


class Gauges:
    """How locks are used and why requests are pending at the moment. It counts nothing."""

    def __init__(self, master: Any, labels: Labels) -> None:
        self._master = master
        self._labels = labels

    def collect(self) -> Iterator[Any]:
        yield from self._of_locks()
        yield from self._of_resources()
        yield self._of_requests()

    @property
    def _locks(self) -> list[Any]:
        in_use = self._master.botmaster.namedServices.get(LocksInUse.getName())
        return [] if in_use is None else in_use.by_name()

    def _of_locks(self) -> Iterable[Any]:
        now = self._master.reactor.seconds()
        found: dict[str, list[float]] = {}
        for lock in self._locks:
            sums = found.setdefault(self._labels.label(lock.lockName), [0, 0, 0, 0])
            for copy in copies_in_use(lock):
                oldest = oldest_wait(copy)
                sums[0] += copy.used
                sums[1] += copy.maxCount
                sums[2] += copy.line_length
                sums[3] = max(sums[3], 0 if oldest is None else now - oldest)
        told = (
            ('buildbot_lock_used_units', 'Units of a lock that are held, over its copies'),
            ('buildbot_lock_capacity_units', 'Units of a lock, over its copies in use'),
            ('buildbot_lock_waiting', 'How many claims wait for a lock'),
            ('buildbot_lock_oldest_wait_seconds', 'How long the oldest claim has waited'),
        )
        for i, (name, meaning) in enumerate(told):
            gauge = GaugeMetricFamily(name, meaning, labels=['lock'])
            for lock, sums in found.items():
                gauge.add_metric([lock], sums[i])
            yield gauge

    def _of_resources(self) -> Iterator[Any]:
        copies = [
            copy
            for lock in self._locks
            if self._labels.label(lock.lockName) != OTHERS
            for copy in copies_to_see(lock)
            if copy.family is not None and copy.family.has_resources
        ]
        told = (
            ('buildbot_pool_resource_used', 'Whether somebody holds a resource of a pool'),
            ('buildbot_pool_resource_quarantined', 'Whether a resource of a pool is out of use'),
        )
        for name, meaning in told:
            gauge = GaugeMetricFamily(name, meaning, labels=['lock', 'resource'])
            for copy in copies:
                is_out = copy.quarantine is not None
                value = is_out if name.endswith('quarantined') else copy.used and not is_out
                gauge.add_metric([plain(copy.lockName), plain(copy.key)], int(value))
            yield gauge

    def _of_requests(self) -> Any:
        now = self._master.reactor.seconds()
        pending = Counter(dict.fromkeys(KINDS, 0))
        for builder in list(self._master.botmaster.builders.values()):
            brids = [brdict['buildrequestid'] for brdict in builder.inbox.requests.brdicts()]
            counted: set[int] = set()
            for reason in why_pending(builder, 0, brids, now) if brids else ():
                fresh = set(reason.buildrequestids) - counted
                pending[reason.kind] += len(fresh)
                counted |= fresh
        gauge = GaugeMetricFamily(
            'buildbot_requests_pending', 'Pending requests by the first reason', labels=['reason']
        )
        for kind, count in sorted(pending.items()):
            gauge.add_metric([kind], count)
        return gauge


def is_port(port: Any) -> bool:
    """Tell whether the master can listen there, as far as that is known without trying."""
    if isinstance(port, int) and not isinstance(port, bool):
        return 0 < port < 65536
    try:
        endpoints.serverFromString(None, port)
    except Exception:
        return False
    return True
