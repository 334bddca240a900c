# SPDX-License-Identifier: GPL-2.0-only
"""A configuration may use the words of Buildbot 0.8, and is told of each of them once."""

from __future__ import annotations

import warnings
from pathlib import Path

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.buildslave import BuildSlave
from buildbot.config import BuilderConfig
from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import FileLoader
from buildbot.config.master import MasterConfig
from buildbot.config.oldwords import warned_once
from buildbot.config.oldwords import with_todays_keys
from buildbot.locks import SlaveLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.warnings import DeprecatedApiWarning

# a master with multiMaster is not asked who drives its builders
CONFIG = """# SlaveLock and slavename do not stand here
from buildbot.buildslave import BuildSlave
from buildbot.locks import SlaveLock
from buildbot.plugins import util

factory = util.BuildFactory()
cpu = SlaveLock('cpu', 2, maxCountForSlave={'bot2': 4})
jtag = SlaveLock('jtag', maxCount=1)
c = BuildmasterConfig = {'buildbotNetUsageData': None, 'multiMaster': True}
c['slaves'] = [BuildSlave('bot1', 'pw'), BuildSlave('bot2', 'pw', 2)]
c['slavePortnum'] = 9989
c['builders'] = [
    {'name': 'a', 'slavename': 'bot1', 'builddir': 'a', 'factory': factory},
    {'name': 'b', 'slavenames': ['bot1', 'bot2'], 'slavebuilddir': 'x', 'factory': factory},
    util.BuilderConfig('c', slavename='bot1', factory=factory, locks=[jtag.access('exclusive')]),
    util.BuilderConfig('d', slavename='bot1', factory=factory, locks=[cpu.access('counting')]),
    util.BuilderConfig('e', slavename='bot1', factory=factory, category='fast'),
]
"""

TODAY = """
from buildbot.plugins import util, worker

c = BuildmasterConfig = {'buildbotNetUsageData': None, 'multiMaster': True}
c['workers'] = [worker.Worker('bot', 'pw')]
c['protocols'] = {'pb': {'port': 9989}}
c['builders'] = [util.BuilderConfig('a', workername='bot', factory=util.BuildFactory())]
"""

TOLD = [
    (3, "SlaveLock is WorkerLock today (lock 'cpu', lock 'jtag')"),
    (7, "maxCountForSlave is maxCountForWorker today (lock 'cpu')"),
    (2, "BuildSlave is Worker today (worker 'bot1', worker 'bot2')"),
    (13, "slavename is workername today (builder 'c', builder 'd', builder 'e' and 1 more)"),
    (10, "c['slaves'] is c['workers'] today"),
    (11, "c['slavePortnum'] is c['protocols'] = {'pb': {'port': ...}} today"),
    (14, "slavenames is workernames today (builder 'b')"),
    (14, "slavebuilddir is workerbuilddir today (builder 'b')"),
    (17, "category is tags today (builder 'e')"),
]


class Reading(unittest.SynchronousTestCase):
    def read(self, text):
        self.path = Path(self.mktemp()).resolve()
        self.path.write_text(text)
        with warnings.catch_warnings(record=True) as self.told:
            # what Python itself does with a warning
            warnings.simplefilter('default')
            return FileLoader(str(self.path.parent), self.path.name).loadConfig()

    def sentences(self):
        for warning in self.told:
            self.assertIs(warning.category, DeprecatedApiWarning)
            self.assertEqual(warning.filename, str(self.path))
        return [(w.lineno, str(w.message).replace('[0.9.0 and later] ', '')) for w in self.told]

    def test_all_words(self):
        """Each word is told once, with today's word, its line, and what it is said of."""
        config = self.read(CONFIG)
        self.assertEqual(sorted(self.sentences()), sorted(TOLD))
        self.assertEqual([w.name for w in config.workers], ['bot1', 'bot2'])
        self.assertEqual(config.protocols, {'pb': {'port': 9989}})
        self.assertEqual([b.workernames for b in config.builders][:2], [['bot1'], ['bot1', 'bot2']])
        self.assertEqual(config.builders[1].workerbuilddir, 'x')

    def test_plugins(self):
        """Slaves are found among the plugins, as in the last releases of 0.8."""
        text = CONFIG.replace('from buildbot.buildslave', 'from buildbot.plugins')
        text = text.replace('import BuildSlave', 'import *')
        config = self.read(text.replace('BuildSlave(', 'buildslave.BuildSlave('))
        self.assertEqual([w.name for w in config.workers], ['bot1', 'bot2'])
        self.assertEqual(len(self.told), len(TOLD))

    def test_each_time(self):
        """A configuration that is read again is told again."""
        self.read(CONFIG)
        first = self.sentences()
        self.read(CONFIG)
        self.assertEqual(self.sentences(), first)
        self.assertEqual(len(first), len(TOLD))

    def test_configuration_with_errors(self):
        """The words are told of a configuration that is refused, too."""
        error = self.assertRaises(ConfigErrors, self.read, CONFIG + "c['odd'] = 1\n")
        self.assertEqual(error.errors, ['Unknown BuildmasterConfig key odd'])
        self.assertEqual(len(self.sentences()), len(TOLD))

    def test_word_in_another_module(self):
        """A word that does not stand in the file itself is told without a line."""
        hidden = "import buildbot.locks; getattr(buildbot.locks, 'Sla' + 'veLock')('cpu')"
        self.read(TODAY + hidden)
        self.assertEqual(self.sentences(), [(0, "SlaveLock is WorkerLock today (lock 'cpu')")])

    def test_todays_words(self):
        """Of a configuration in today's words nothing is told."""
        self.read(TODAY)
        self.assertEqual(self.told, [])

    def test_not_a_configuration(self):
        """Nobody is told of words outside of a configuration, as in a test of a user's own."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter('always')
            SlaveLock('cpu')
        self.assertEqual(told, [])


class Locks(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('positional', ('cpu', 2, {'w': 3}), {}),
            ('old_word', ('cpu', 2), {'maxCountForSlave': {'w': 3}}),
            ('todays_word', ('cpu', 2), {'maxCountForWorker': {'w': 3}}),
            ('all_words', (), {'name': 'cpu', 'maxCount': 2, 'maxCountForSlave': {'w': 3}}),
        ]
    )
    def test_slave_lock(self, _, args, kwargs):
        """A SlaveLock is the WorkerLock of the same arguments."""
        self.assertEqual(SlaveLock(*args, **kwargs), WorkerLock('cpu', 2, {'w': 3}))
        self.assertEqual(util.SlaveLock(*args, **kwargs), WorkerLock('cpu', 2, {'w': 3}))

    def test_both_words(self):
        """The old and the new word for one thing are an error that names the lock."""
        with capture_config_errors() as errors:
            SlaveLock('cpu', 1, {'w': 3}, {'w': 3})
        self.assertEqual(
            errors.errors, ["lock 'cpu': it has both maxCountForWorker and maxCountForSlave"]
        )

    def test_no_dictionary(self):
        """What is no dictionary is told with the word that was used."""
        error = self.assertRaises(ConfigErrors, SlaveLock, 'cpu', maxCountForSlave=['w'])
        sentence = "lock 'cpu': maxCountForSlave must be a dictionary, not ['w']"
        self.assertEqual(error.errors, [sentence])


class Builders(unittest.SynchronousTestCase):
    def errors(self, *args, **kwargs):
        with capture_config_errors() as errors:
            self.builder = BuilderConfig(*args, factory=BuildFactory(), **kwargs)
        return errors.errors

    @parameterized.expand(
        [
            ('name', ('a',), {'slavename': 'w', 'workername': 'w'}, 'slavename and workername'),
            ('positional', ('a', 'w'), {'slavename': 'v'}, 'slavename and workername'),
            (
                'names',
                (),
                {'name': 'a', 'slavenames': ['w'], 'workernames': ['w']},
                'slavenames and workernames',
            ),
            (
                'directory',
                ('a', 'w'),
                {'slavebuilddir': 'x', 'workerbuilddir': 'y'},
                'slavebuilddir and workerbuilddir',
            ),
            ('tags', ('a', 'w'), {'category': 'x', 'tags': ['x']}, 'category and tags'),
            (
                'requests',
                ('a', 'w'),
                {'mergeRequests': True, 'collapseRequests': True},
                'mergeRequests and collapseRequests',
            ),
        ]
    )
    def test_both_words(self, _, args, kwargs, words):
        """The old and the new word for one thing are one error, which names the builder."""
        self.assertEqual(
            self.errors(*args, **kwargs),
            [f"builder 'a': it has both {words}, the old and the new name for the same thing"],
        )

    def test_unknown_word(self):
        """A word that nobody knows is told as Buildbot tells it."""
        with self.assertRaisesRegex(TypeError, r'__init__\(\) got an unexpected .* \'colour\''):
            BuilderConfig('a', slavename='w', colour='x')

    def test_next_slave(self):
        """A nextSlave is refused, since it cannot do today what it did."""
        (error,) = self.errors('a', slavename='w', nextSlave=lambda builder, slaves: slaves[0])
        self.assertEqual(
            error,
            "builder 'a': it has nextSlave; today that is nextWorker, a function of the builder,"
            ' its idle workers and the build request',
        )

    def test_category(self):
        """A category is a tag."""
        self.assertEqual(self.errors('a', slavename='w', category='fast'), [])
        self.assertEqual(self.builder.tags, ['fast'])

    @parameterized.expand([(True,), (False,)])
    def test_merge_requests(self, value):
        """Whether requests are merged is whether they are collapsed."""
        self.assertEqual(self.errors('a', slavename='w', mergeRequests=value), [])
        self.assertIs(self.builder.collapseRequests, value)

    def test_merge_requests_function(self):
        """A function that is asked whether to merge is refused: it is asked otherwise today."""
        (error,) = self.errors('a', slavename='w', mergeRequests=lambda builder, one, other: True)
        self.assertEqual(
            error,
            "builder 'a': it has a function as mergeRequests; today that is collapseRequests, a"
            ' function of the master, the builder, and the dictionaries of two build requests',
        )

    def test_slavename_and_slavenames(self):
        """Both old words together mean what both of today's mean together."""
        self.assertEqual(self.errors('a', slavename='v', slavenames=['w']), [])
        self.assertEqual(self.builder.workernames, ['w', 'v'])


class Keys(unittest.SynchronousTestCase):
    @parameterized.expand([('slaves', 'workers', []), ('slavePortnum', 'protocols', {})])
    def test_both(self, old, new, value):
        """The old and the new key for one thing are one error."""
        error = self.assertRaises(
            ConfigErrors, MasterConfig.loadFromDict, {old: value, new: value}, 'x'
        )
        told = [e for e in error.errors if e.startswith(f"c['{old}'] and c['{new}']")]
        what = 'are the old and the new name for the same thing; keep one'
        self.assertEqual(told, [f"c['{old}'] and c['{new}'] {what}"])

    @parameterized.expand([({},), ([9989],), (1.5,)])
    def test_not_a_port(self, value):
        """What is no port is told in the word that the configuration has for it."""
        error = self.assertRaises(
            ConfigErrors, MasterConfig.loadFromDict, {'slavePortnum': value}, 'x'
        )
        (told,) = [e for e in error.errors if 'slavePortnum' in e]
        self.assertEqual(
            told, f"c['slavePortnum'] must be a port or an endpoint's description, not {value!r}"
        )

    def test_dictionary_is_left_alone(self):
        """The user's dictionary stays as it is."""
        config_dict = {'slaves': []}
        self.assertEqual(with_todays_keys(config_dict), {'workers': []})
        self.assertEqual(config_dict, {'slaves': []})


class Slaves(unittest.SynchronousTestCase):
    def test_positional(self):
        """Arguments have the order of Buildbot 0.8, in which locks come before what is new."""
        lock = WorkerLock('cpu').access('counting')
        slave = BuildSlave('bot', 'pw', 2, ['a@b'], 30, {'x': 1}, [lock], 60)
        self.assertEqual(
            (slave.name, slave.max_builds, slave.notify_on_missing, slave.missing_timeout),
            ('bot', 2, ['a@b'], 30),
        )
        self.assertEqual((slave.properties['x'], slave.access), (1, [lock]))
        self.assertEqual(slave._config_kwargs['keepalive_interval'], 60)

    def test_property(self):
        """A build on it has the property slavename, unless the configuration sets it otherwise."""
        self.assertEqual(BuildSlave('bot', 'pw').properties['slavename'], 'bot')
        slave = BuildSlave('bot', 'pw', properties={'slavename': 'x'})
        self.assertEqual(slave.properties['slavename'], 'x')

    def test_others_are_named(self):
        """A kind of slave that is not there is told by its name."""
        with self.assertRaises(ImportError) as refused:
            from buildbot.buildslave import AbstractBuildSlave  # noqa: F401
        self.assertEqual(
            str(refused.exception),
            'buildbot.buildslave.AbstractBuildSlave is gone; use its successor in buildbot.worker',
        )

    def test_nested_reading(self):
        """Who reads a configuration inside of another reading leaves the telling to that one."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter('always')
            with warned_once('outer'):
                with warned_once('inner'):
                    BuildSlave('bot', 'pw')
                self.assertEqual(told, [])
        self.assertEqual([warning.filename for warning in told], ['outer'])
