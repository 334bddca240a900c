# SPDX-License-Identifier: GPL-2.0-only
"""Tests of how what is held of a pool is told to what is rendered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from typing import cast

from parameterized import parameterized
from twisted.internet import defer
from twisted.python.failure import Failure
from twisted.trial import unittest

from buildbot.config import ConfigErrors
from buildbot.locking.copy import LockError
from buildbot.locking.resource import Resource
from buildbot.process.properties import Interpolate
from buildbot.process.properties import Properties
from buildbot.process.properties import Property
from buildbot.process.properties import WithProperties
from buildbot.process.properties import renderer
from buildbot.process.rendering import first_cause
from buildbot.process.stepproperties import StepProperties

BOARDS = [
    Resource('board-1', properties={'tty': '/dev/ttyUSB0', 'spare': ''}),
    Resource('board-4', properties={'tty': '/dev/ttyUSB3'}),
]


class Owner:
    """Holds the boards, until they are taken away."""

    def __init__(self):
        self.held = {'boards': list(BOARDS)}

    def resources(self, pool):
        return self.held.get(pool, [])


@renderer
def first_board(props):
    return props.getProperty('pool_boards')[0]


class Seen(unittest.TestCase):
    def setUp(self):
        self.owner = cast(Any, Owner())
        self.of_build = Properties(branch='main')
        self.props = StepProperties(self.of_build, self.owner)

    @parameterized.expand(
        [
            ('%(lock:boards)s', 'board-1,board-4'),
            ('%(lock:boards:0)s', 'board-1'),
            ('%(lock:boards:1:tty)s', '/dev/ttyUSB3'),
            ('%(prop:branch)s on %(lock:boards:1)s', 'main on board-4'),
            ('%(lock:boards:0:-none)s', 'board-1'),
            ('%(lock:boards:2:-none)s', 'none'),
            ('%(lock:boards:2:-)s', ''),
            ('%(lock:boards:2:-%(prop:branch)s)s', 'main'),
            ('%(lock:boards:1:probe:-none)s', 'none'),
            ('%(lock:boards:0:spare:-none)s', ''),
            ('%(lock:boards:0:spare:~none)s', 'none'),
            ('%(lock:licences:-none)s', 'none'),
            ('%(lock:licences:+some)s', ''),
            ('%(lock:boards:+some)s', 'some'),
            ('%(lock:licences:?:yes:no)s', 'no'),
            ('%(lock:boards:0:spare:#?:yes:no)s', 'no'),
            # a default that looks like a property is none
            ('%(lock:boards:0:-tty)s', 'board-1'),
            ('%(lock:licences:-1:tty)s', '1:tty'),
        ]
    )
    @defer.inlineCallbacks
    def test_interpolated(self, text, expected):
        """``lock:`` tells the names of resources and their properties, with defaults as usual."""
        rendered = yield self.props.render(Interpolate(text))
        self.assertEqual(rendered, expected)

    @parameterized.expand(
        [
            ('%(lock:licences)s', "pool 'licences': none of it is held here"),
            (
                '%(lock:boards:2)s',
                "pool 'boards': there is no resource 2 where 2 of it are held, counted from 0",
            ),
            (
                '%(lock:boards:1:probe)s',
                "pool 'boards': resource 'board-4' has no property 'probe'",
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_missing(self, text, expected):
        """What is not there and has no default is an error that says what is missing."""
        with self.assertRaises(defer.FirstError) as raised:
            yield self.props.render(Interpolate(text))
        cause = first_cause(Failure(raised.exception))
        self.assertEqual((cause.type, str(cause.value)), (LockError, expected))

    @parameterized.expand([
        ('lock:',),
        ('lock:boards:x',),
        ('lock:boards:0:tty:probe',),
        ('lock::0',),
        ('lock:boards:0:%',),
    ])  # fmt: skip
    def test_refused(self, text):
        """What cannot be meant is refused when the configuration is read."""
        error = self.assertRaises(ConfigErrors, Interpolate, f'%({text})s')
        self.assertEqual(
            error.errors,
            [
                f"lock Interpolation '{text[5:]}' must be POOL, POOL:NUMBER or"
                ' POOL:NUMBER:PROPERTY, where NUMBER counts from 0'
            ],
        )

    def test_properties(self):
        """The names are a property, and what the build has of its own stays."""
        props = self.props
        self.assertEqual(props.getProperty('pool_boards'), ['board-1', 'board-4'])
        self.assertEqual(props['pool_boards'], ['board-1', 'board-4'])
        self.assertEqual(props.getPropertySource('pool_boards'), 'lock')
        for has in (props.hasProperty, props.has_key, props.__contains__):
            self.assertEqual(
                [has(name) for name in ('pool_boards', 'pool_licences', 'branch', 'tty')],
                [True, False, True, False],
            )
        self.assertEqual(props.getProperty('pool_licences', 'none'), 'none')
        self.assertRaises(KeyError, lambda: props['pool_licences'])
        self.assertEqual(props.getProperty('branch'), 'main')

    def test_given_back(self):
        """What is given back is seen no more, and then the build's own is again."""
        self.of_build.setProperty('pool_boards', ['board-9'], 'build')
        self.assertEqual(self.props['pool_boards'], ['board-1', 'board-4'])
        self.owner.held.clear()
        self.assertEqual(self.props['pool_boards'], ['board-9'])
        self.assertEqual(self.props.getPropertySource('pool_boards'), 'build')

    def test_set(self):
        """What a step sets is a property of the build, and nothing of the pool is."""
        self.props.setProperty('size', 3, 'step', runtime=True)
        self.assertEqual(self.of_build.asDict(), {'branch': ('main', 'TEST'), 'size': (3, 'step')})
        self.assertEqual(self.of_build.runtime, {'size'})

    @parameterized.expand(
        [
            (Property('pool_boards'), ['board-1', 'board-4']),
            (Interpolate('%(prop:pool_boards)s'), "['board-1', 'board-4']"),
            (WithProperties('%(pool_boards)s'), "['board-1', 'board-4']"),
            (first_board, 'board-1'),
            (
                ['-D', {'tty': Interpolate('%(lock:boards:0:tty)s')}],
                ['-D', {'tty': '/dev/ttyUSB0'}],
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_renderables(self, value, expected):
        """Every renderable sees what the step has got, and it is known that it asked."""
        rendered = yield self.props.render_early(value)
        self.assertEqual(rendered, expected)
        self.assertTrue(self.props.asked)

    @defer.inlineCallbacks
    def test_too_early(self):
        """What asks for what is not held yet stays what it is; other errors are errors."""
        self.owner.held.clear()
        early = yield self.props.render_early(first_board)
        self.assertIs(early, first_board)
        other = StepProperties(self.of_build, self.owner)
        with self.assertRaises(KeyError):
            yield other.render_early(WithProperties('%(nothing)s'))
        self.assertFalse(other.asked)

    @defer.inlineCallbacks
    def test_of_build(self):
        """What is rendered for the build itself sees what the build has got."""
        self.of_build.build = self.owner
        rendered = yield self.of_build.render(Interpolate('%(lock:boards)s'))
        self.assertEqual(rendered, 'board-1,board-4')

    @parameterized.expand([(None,), (SimpleNamespace(),)])
    @defer.inlineCallbacks
    def test_without_build(self, build):
        """Where there is no build, or one that cannot hold, nothing is held."""
        self.of_build.build = build
        rendered = yield self.of_build.render(Interpolate('%(lock:boards:-none)s'))
        self.assertEqual(rendered, 'none')
