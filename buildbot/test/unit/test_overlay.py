# SPDX-License-Identifier: GPL-2.0-only
"""The overlay is really there, fits, and refuses what it does not fit."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import buildbot_worker
import twisted
from parameterized import parameterized
from twisted.trial import unittest

import buildbot
import buildbot_overlay as overlay
import buildslave
from buildbot.config.master import MasterConfig
from buildbot.interfaces import IWorker
from buildbot.plugins.db import get_plugins
from buildbot.process.buildstep import BuildStep
from buildbot.schedulers.triggerable import Triggerable
from buildbot.test.util.leaning import Leaning
from buildbot.test.util.leaning import names_leaned_on
from buildbot.worker import AbstractWorker
from buildbot.www.config import get_www_frontend_config_dict
from buildbot_overlay import fit
from buildbot_overlay import seams

RELEASE = Path(buildbot.__path__[-1])
TREE = Path(buildbot.__path__[0])
LIBRARIES = Path(twisted.__file__).parent.parent

OURS = f'buildbot-interlock {overlay.__version__}'
WAY_OUT = (
    "install the release it was made for (pip install 'buildbot>=4.3,<4.4'), or set"
    ' BUILDBOT_INTERLOCK=off to run the release you have as it is'
)
SWITCH_SENTENCE = (
    "BUILDBOT_INTERLOCK='no' is neither on nor off; unset it, or set it to one of these"
)


def overlaid():
    """Import the overlaid modules that change something, and return them."""
    modules = [importlib.import_module(name) for name in fit.overlaid_modules(buildbot)]
    return [m for m in modules if not hasattr(m, '__path__') and hasattr(m, 'upstream')]


class Liveness(unittest.SynchronousTestCase):
    def test_replaced_everywhere(self):
        """Every module of the release that knows a replaced class or function knows ours."""
        replaced = {}
        for module in overlaid():
            for name, theirs in vars(module.upstream).items():
                ours = getattr(module, name)
                if ours is not theirs and getattr(theirs, '__module__', None) == module.__name__:
                    replaced[theirs] = ours
        self.assertIn('BuildStep', [theirs.__name__ for theirs in replaced])

        stale = []
        for info in pkgutil.walk_packages(buildbot.__path__, 'buildbot.'):
            if '.test.' in info.name or info.name in overlay_only():
                continue
            try:
                module = importlib.import_module(info.name)
            except Exception:  # noqa: S112 - wants a library that is not installed here
                continue
            for name, value in vars(module).items():
                if isinstance(value, (type, type(overlaid))) and value in replaced:
                    stale.append(f'{info.name}.{name}')
        self.assertEqual(stale, [])

    def test_no_stale_bases(self):
        """No class of an overlaid module inherits a class that the overlay replaces."""
        for module in overlaid():
            self.assertEqual(fit.stale_bases(module.__name__), [], module.__name__)

    def test_stale_base_is_found(self):
        """A class that was left behind with the release's base is named."""
        module = importlib.import_module('buildbot.process.builder')
        words = {'__module__': module.__name__}
        module.LeftBehind = type('LeftBehind', (module.upstream.Builder,), words)
        self.addCleanup(delattr, module, 'LeftBehind')
        self.assertEqual(fit.stale_bases(module.__name__), ['LeftBehind <- Builder'])


def overlay_only():
    return fit.modules(buildbot, 'adds')


def ours():
    return fit.modules(buildbot, 'overlays', 'adds')


class SeamList(unittest.SynchronousTestCase):
    def test_sound(self):
        """The release here is the one that the overlay was written against."""
        self.assertEqual(fit.missing_seams(buildbot), [])

    def test_complete(self):
        """Every name of the release that the overlay replaces or overrides is listed."""
        listed = {str(seam) for seam, _ in fit.seam_states(buildbot)}
        unlisted = []
        for module in overlaid():
            for name, ours in vars(module).items():
                theirs = vars(module.upstream).get(name)
                if not callable(theirs) or ours is theirs:
                    continue
                path = f'{module.__name__}.{name}'
                wanted = [f'{path}.{member}' for member in overridden(ours, theirs)] or [path]
                unlisted += [w for w in wanted if w not in listed and path not in listed]
        self.assertEqual(unlisted, [])

    def test_uses(self):
        """Every name of the release that a module of the overlay uses is listed."""
        named = [seam for seam in seams.read(fit.seams_file(buildbot)) if seam.name]
        listed = {str(seam) for seam in named}
        # a class is there if one of its members is, and a member if its class is
        of_members = {str(seam).rpartition('.')[0] for seam in named if '.' in seam.name}
        unlisted = {
            f'{name} (in {module})'
            for module in ours()
            for name in names_leaned_on(module, ours())
            if name not in listed | of_members and name.rpartition('.')[0] not in listed
        }
        self.assertEqual(unlisted, set())

    @parameterized.expand(
        [
            (
                'imported',
                'from buildbot.util.eventual import eventually',
                'util.eventual.eventually',
            ),
            ('imported_on', 'from buildbot.util import Notifier', 'util._notifier.Notifier'),
            ('constant', 'from buildbot.process.results import RETRY', 'process.results.RETRY'),
            (
                'of_a_module',
                'from buildbot.data import types\ntypes.Integer()',
                'data.types.Integer',
            ),
            (
                'of_a_class',
                'from buildbot.process.metrics import MetricCountEvent as M\nM.log()',
                'process.metrics.MetricCountEvent process.metrics.MetricEvent.log',
            ),
            ('of_ours', 'from buildbot.locks import BranchLock\nBranchLock.access', ''),
            ('ours_of_two', 'from buildbot.process.build import Build', ''),
            (
                'of_upstream',
                'upstream.Builder.addLatentWorker',
                'process.builder.Builder process.builder.Builder.addLatentWorker',
            ),
            (
                'own',
                'class Builder:\n def f(self):\n  self.addLatentWorker()',
                'process.builder.Builder.addLatentWorker',
            ),
            ('own_of_two', 'class Builder:\n def f(self):\n  self.canStartBuild()', ''),
            (
                'super',
                'class Builder:\n def f(self):\n  super().maybeStartBuild()',
                'process.builder.Builder.maybeStartBuild',
            ),
            ('types', 'if TYPE_CHECKING:\n from buildbot.util import Notifier', ''),
            ('elsewhere', 'from twisted.internet import defer\ndefer.succeed', ''),
        ]
    )
    def test_use_is_found(self, _, source, expected):
        """What the source uses of the release is found, and what is ours is not."""
        leaning = Leaning('buildbot.process.builder', ours())
        leaning.visit(ast.parse(source))
        self.assertEqual(leaning.found, {f'buildbot.{name}' for name in expected.split()})

    def test_every_module_is_listed(self):
        """Every module of the tree is in the list, so a half installation is noticed."""
        files = [path.relative_to(TREE.parent) for path in TREE.rglob('*.py')]
        names = {'.'.join(f.with_suffix('').parts).replace('.__init__', '') for f in files}
        listed = set(fit.modules(buildbot, 'overlays', 'adds'))
        # alembic reads the migrations, which are no modules
        names = {n for n in names if '.test' not in n and '.migrations' not in n}
        self.assertEqual(names - listed, set())


def overridden(ours, theirs):
    """Name the members of a class of the release that ours has another of."""
    if not isinstance(ours, type) or theirs not in ours.__mro__:
        return []
    both = vars(ours).keys() & vars(theirs).keys()
    # a test that patched an inherited member leaves the same one behind
    return [m for m in both if vars(ours)[m] is not vars(theirs)[m] and not is_plumbing(m)]


def is_plumbing(member):
    names = ('__module__', '__doc__', '__annotations__', '__firstlineno__', '__annotate_func__')
    return member in (*names, '__static_attributes__', '__provides__', '__implemented__')


SOURCE = b'''
"""Module."""
X = 1
P, Q = range(2)
class A:
    """Doc."""
    y: int = 2
    def m(self, a: int = 1) -> str:
        """Doc."""
        return f'{a}' + "b"  # why
def f(x):
    pass
'''


class Fingerprints(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('comment', b'# why', b'# something else', []),
            ('docstring', b'"""Doc."""', b'"""Other."""', []),
            ('quotes', b'"b"', b"'b'", []),
            ('wrapped', b'(self, a: int = 1)', b'(\n        self,\n        a: int = 1,\n    )', []),
            ('type_hint', b' -> str', b'', []),
            ('default', b'a: int = 1', b'a: int = 2', ['A', 'A.m']),
            ('body', b'"b"', b'"c"', ['A', 'A.m']),
            ('variable', b'X = 1', b'X = 3', ['X']),
            ('base', b'class A:', b'class A(B):', ['A']),
            ('kind', b'def f', b'async def f', ['f']),
            ('class_variable', b'y: int = 2', b'y: int = 3', ['A', 'A.y']),
            ('gone', b'def f', b'def g', ['f', 'g']),
            ('several', b'P, Q = range(2)', b'P, Q = range(1, 3)', ['P', 'Q']),
        ]
    )
    def test_table(self, _, old, new, changed):
        """What the code does changes the fingerprint of its name, and nothing else does."""
        before, after = (seams.fingerprints(s) for s in (SOURCE, SOURCE.replace(old, new)))
        self.assertNotEqual(SOURCE, SOURCE.replace(old, new))
        names = before.keys() | after.keys()
        self.assertEqual(sorted(n for n in names if before.get(n) != after.get(n)), changed)

    def test_same_on_every_python(self):
        """The fingerprint does not depend on the Python that computes it."""
        self.assertEqual(seams.fingerprints(SOURCE)['A.m'], '3462852b1cb1c1c9')

    def test_bound_twice(self):
        """Of a name that is bound in two branches, a change of either counts."""
        source = b'try:\n    x = 1\nexcept E:\n    x = 2\n'
        changed = source.replace(b'x = 2', b'x = 3')
        self.assertNotEqual(seams.fingerprints(source)['x'], seams.fingerprints(changed)['x'])

    def test_rewrite_keeps_all_but_fingerprints(self):
        """Rewriting the list changes nothing for a release that has not changed."""
        path = os.path.join(self.mktemp())
        shutil.copy(TREE / 'seams.txt', path)
        seams.rewrite(path, str(RELEASE))
        self.assertEqual(Path(path).read_text(), (TREE / 'seams.txt').read_text())

    def test_unreadable_line(self):
        """A line of another form is named."""
        path = self.mktemp()
        Path(path).write_text('overlooks buildbot\n# end\n')
        error = self.assertRaises(ValueError, seams.read, path)
        self.assertEqual(str(error), f"{path}: cannot read 'overlooks buildbot'")


class Range(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('4.3.0', True),
            ('4.3.1.dev12', True),
            ('4.3.99.post1', True),
            ('4.2.1', False),
            ('4.4.0', False),
            ('5.0', False),
            ('2025.05.12', False),
            ('latest', False),
        ]
    )
    def test_table(self, version, expected):
        """The supported versions are those from the first bound up to without the second."""
        self.assertEqual(fit.supported(version), expected)


class Copied(unittest.SynchronousTestCase):
    """With a copy of the overlay and of the release's seams, for interpreters of their own."""

    def setUp(self):
        self.site = Path(self.mktemp()).resolve()
        self.package = self.site / 'buildbot_overlay'
        # none of its tests is run
        ignore = shutil.ignore_patterns('test_*.py', 'examples', '__pycache__')
        shutil.copytree(overlay.HERE, self.package, ignore=ignore)
        if not (self.package / 'tree').exists():  # run from a checkout
            shutil.copytree(TREE, self.package / 'tree' / 'buildbot', ignore=ignore)
        self.release = self.site / 'release' / 'buildbot'
        for module in {seam.module for seam in seams.read(str(TREE / 'seams.txt'))}:
            self.copy_module(module)
        (self.release / '__init__.py').write_text("version = '4.3.0'\n")

    def copy_module(self, module):
        inner = Path(*module.split('.')[1:])
        for path in (inner.with_suffix('.py'), inner / '__init__.py') if inner.parts else ():
            if (RELEASE / path).is_file():
                (self.release / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(RELEASE / path, self.release / path)

    def path(self, *more):
        return os.pathsep.join(map(str, [self.site, self.site / 'release', *more]))

    def run_python(self, *arguments, cwd=None, stdout=subprocess.PIPE, **environment):
        # -S: without the environment's own packages, so that only the copies are there
        return subprocess.run(
            [sys.executable, '-S', *arguments],
            env={'PYTHONPATH': self.path(), **environment},
            cwd=cwd or self.site,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def drop_seam(self, name):
        path = self.package / 'tree' / 'buildbot' / 'seams.txt'
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(''.join(line for line in lines if line.split()[0] != name))


class Refusals(Copied):
    def import_it(self, **environment):
        code = 'import buildbot_overlay as o; o.activate(); print(0); import buildbot; print(1)'
        done = self.run_python('-c', code, **environment)
        self.assertIn('0', done.stdout, 'the interpreter did not start')
        return done

    def assert_refused(self, sentence, **environment):
        done = self.import_it(**environment)
        self.assertEqual((done.stderr, done.returncode), (f'{sentence}\n', 1))

    def change(self, path, old, new):
        text = (self.release / path).read_text()
        self.assertIn(old, text)
        (self.release / path).write_text(text.replace(old, new))

    def version_is(self, version):
        (self.release / '__init__.py').write_text(f'version = {version!r}\n')

    def test_fits(self):
        """With the release it was made for, the import goes well."""
        # the copy of __init__ is not the release's own, whose source the one seam in it is
        self.drop_seam('version')
        done = self.import_it()
        self.assertEqual((done.stdout.split(), done.stderr), (['0', '1'], ''))

    @parameterized.expand([('4.2.1',), ('4.4.0',)])
    def test_version(self, version):
        """A release outside the range is refused with its version and both ways out."""
        self.version_is(version)
        self.assert_refused(
            f'{OURS} was made for buildbot >=4.3,<4.4 and finds {version} in {self.release};'
            f' {WAY_OUT}'
        )

    def test_changed_seam(self):
        """A release in which a method we override has changed is refused by the method's name."""
        self.drop_seam('version')
        self.change('process/buildstep.py', 'yield self.acquireLocks()', 'pass')
        self.assert_misfit('buildbot.process.buildstep.BuildStep.startStep (changed)')

    def assert_misfit(self, seam):
        self.assert_refused(
            f'{OURS} does not fit buildbot 4.3.0 in {self.release}: {seam}; {WAY_OUT}'
        )

    def test_gone_seam(self):
        """A release in which a method we override is gone is refused by the method's name."""
        self.drop_seam('version')
        self.change('process/builder.py', 'def _startBuildFor', 'def _start_build_for')
        self.assert_misfit('buildbot.process.builder.Builder._startBuildFor (gone)')

    def test_name_with_two_meanings(self):
        """A release that binds a name of our module to another thing is refused by that name."""
        self.drop_seam('version')
        code = "from buildbot_overlay import extend\nhere = 1\nextend(__name__)\n"
        (self.package / 'tree' / 'buildbot' / 'worker' / '__init__.py').write_text(code)
        (self.release / 'worker' / '__init__.py').write_text('here = 2\n')
        done = self.run_python(
            '-c', 'import buildbot_overlay as o; o.activate(); import buildbot.worker'
        )
        sentence = f'{OURS} and buildbot mean different things by buildbot.worker.here; {WAY_OUT}\n'
        self.assertEqual(done.stderr, sentence)

    def test_comment_changed(self):
        """A release in which only a comment changed fits."""
        self.drop_seam('version')
        self.change('process/builder.py', '# first, if', '# If')
        self.assertEqual(self.import_it().stderr, '')

    def test_off(self):
        """Switched off, the plain release is imported, of whatever version."""
        self.version_is('4.2.1')
        done = self.import_it(BUILDBOT_INTERLOCK='off')
        self.assertEqual((done.stdout.split(), done.stderr), (['0', '1'], ''))

    def test_unknown_switch(self):
        """A value of the switch that means nothing is refused, at the import only."""
        self.assert_refused(SWITCH_SENTENCE, BUILDBOT_INTERLOCK='no')

    def test_caught(self):
        """Who catches an ``ImportError`` goes on, and later errors are told as ever."""
        code = """
import buildbot_overlay
buildbot_overlay.activate()
for _ in range(2):
    try:
        import buildbot
    except ImportError as e:
        print(e)
raise ValueError('of the program')
"""
        done = self.run_python('-c', code, BUILDBOT_INTERLOCK='no')
        self.assertEqual(done.stdout.splitlines(), [SWITCH_SENTENCE] * 2)
        self.assertTrue(done.stderr.startswith('Traceback '), done.stderr)
        self.assertTrue(done.stderr.endswith('ValueError: of the program\n'), done.stderr)

    def test_twistd(self):
        """twistd, too, says no more than the sentence."""
        tac = self.site / 'buildbot.tac'
        tac.write_text('import buildbot_overlay as o; o.activate(); import buildbot\n')
        done = self.run_python(
            *['-c', 'from twisted.scripts.twistd import run; run()', '-ny', str(tac)],
            PYTHONPATH=self.path(LIBRARIES),
            BUILDBOT_INTERLOCK='no',
        )
        self.assertEqual((done.stdout, done.stderr), ('', f'{SWITCH_SENTENCE}\n'))
        self.assertEqual(done.returncode, 1)

    def test_no_release(self):
        """Without a release under it, the overlay says what to install."""
        shutil.rmtree(self.release)
        self.assert_refused(
            f"{OURS} lies over the buildbot release, and there is none here;"
            " pip install 'buildbot>=4.3,<4.4'"
        )

    def test_no_tree(self):
        """Without its tree, the overlay says that it is half installed."""
        shutil.rmtree(self.package / 'tree')
        self.assert_half(f'there is no buildbot in {self.package / "tree"}')

    def assert_half(self, what):
        self.assert_refused(
            f'{OURS} is half installed: {what}; install it again, or set BUILDBOT_INTERLOCK=off'
        )

    def test_half_a_tree(self):
        """With a module of its tree missing, the overlay names it."""
        (self.package / 'tree' / 'buildbot' / 'locks.py').unlink()
        ours = self.package / 'tree' / 'buildbot'
        self.assert_half(f'there is no buildbot.locks in {ours}')

    @parameterized.expand(
        [
            ('empty', '', 'the end is missing'),
            ('cut', None, 'the end is missing'),
            ('unreadable', 'what is this\n', "cannot read 'what is this'"),
        ]
    )
    def test_half_a_list(self, _, text, why):
        """With a list of seams that is cut off or cannot be read, the overlay says so."""
        path = self.package / 'tree' / 'buildbot' / 'seams.txt'
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(''.join(lines[: len(lines) // 2]) if text is None else text)
        self.assert_half(f'{path}: {why}')

    def test_syntax_error(self):
        """A release whose module cannot be parsed is refused by the names in it."""
        self.drop_seam('version')
        self.change('process/builder.py', 'def _startBuildFor', 'def def')
        done = self.import_it()
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn('buildbot.process.builder.Builder._startBuildFor (gone)', done.stderr)

    def status(self, **environment):
        code = 'import buildbot_overlay as o; o.activate(); import runpy;'
        code += "runpy.run_module('buildbot_overlay', run_name='__main__')"
        return self.run_python('-c', code, cwd=self.site.parent, **environment)

    def test_status_of_a_refusal(self):
        """The status command says why it is off, and fails."""
        self.version_is('4.2.1')
        done = self.status()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('off: buildbot-interlock', done.stdout)

    def test_status_switched_off(self):
        """The status command says that the switch is off, and fails."""
        done = self.status(BUILDBOT_INTERLOCK='off')
        self.assertEqual(done.returncode, 1)
        sentence = f'off: BUILDBOT_INTERLOCK=off, so the release in {self.release} runs as it is'
        self.assertIn(sentence, done.stdout.splitlines())

    def test_status_with_a_checkout_in_front(self):
        """The status command says that a checkout as working directory wins, and fails."""
        checkout = self.site / 'checkout'
        shutil.copytree(self.release, checkout / 'buildbot')
        done = self.run_python(
            '-c',
            'import buildbot_overlay as o; o.activate(); import sys, runpy;'
            f"sys.path.insert(0, {str(checkout)!r});"
            "runpy.run_module('buildbot_overlay', run_name='__main__')",
        )
        self.assertEqual(done.returncode, 1)
        sentence = (
            f'off: {checkout}/buildbot stands before the overlay on the path and wins; an upstream'
            ' checkout as working directory does that; run from another directory'
        )
        self.assertIn(sentence, done.stdout.splitlines())

    def test_status_that_nobody_reads(self):
        """The status command ends quietly when who reads its lines has had enough."""
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        done = self.status(BUILDBOT_INTERLOCK='off', stdout=writer)
        self.assertEqual((done.returncode, done.stderr), (1, ''))

    def test_status_installed_twice(self):
        """The status command names both copies of an overlay installed twice, and fails."""
        twin = self.site / 'twin' / 'buildbot_overlay'
        shutil.copytree(self.package, twin)
        done = self.status(PYTHONPATH=self.path(twin.parent))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f'installed twice: {self.package} and {twin}', done.stdout)


class Discovery(Copied):
    """A release whose packages of tests are those that the overlay extends, and some of its own."""

    IDS = """
import os
import sys
import buildbot_overlay
buildbot_overlay.activate()
from twisted.trial import runner
def tell(name, suite):
    for test in suite:
        tell(name, test) if hasattr(test, '__iter__') else print(name, test.id(), flush=True)
for name in sys.argv[1:]:
    if not os.fork():  # each as if nothing had been imported yet
        tell(name, runner.TestLoader().loadByName(name, recurse=True))
        os._exit(0)  # what is left need not be taken down piece by piece
    os.wait()
"""
    CASE = """
from twisted.trial import unittest
class Case(unittest.TestCase):
    def test_it(self):
        pass
"""

    def setUp(self):
        super().setUp()
        self.drop_seam('version')
        ours = self.package / 'tree' / 'buildbot'
        self.packages = sorted(
            {
                path.parent.relative_to(ours)
                for path in (ours / 'test').rglob('__init__.py')
                if 'extend(__name__)' in path.read_text()
            }
            | {
                Path('test', *leaves)
                for leaves in (['odd'], ['unit', 'odd'], ['unit', 'db', 'odd'])
            }
        )
        for package in self.packages:
            directory = self.release / package
            directory.mkdir(parents=True, exist_ok=True)
            (directory / '__init__.py').write_text('')
            (directory / 'test_some.py').write_text(self.CASE)

    def found(self, names, **environment):
        """Return the names of packages, and each test that is found in each of them."""
        path = self.path(LIBRARIES)
        done = self.run_python('-c', self.IDS, *names, PYTHONPATH=path, **environment)
        self.assertEqual(done.stderr, '')
        return sorted(done.stdout.splitlines())

    def test_same_with_and_without(self):
        """trial finds all tests of the release, in each package by itself and in the whole."""
        names = ['.'.join(['buildbot', *package.parts]) for package in self.packages]
        below = [(n, m) for n in names for m in names if m == n or m.startswith(f'{n}.')]
        tests = sorted(f'{name} {package}.test_some.Case.test_it' for name, package in below)
        self.assertEqual(self.found(names, BUILDBOT_INTERLOCK='off'), tests)
        self.assertEqual(self.found(names), tests)


class Plugins(unittest.SynchronousTestCase):
    def test_workers(self):
        """Every kind of worker of the release is found, and is one of our workers."""
        plugins = get_plugins('worker', IWorker, load_now=True)
        self.assertIn('LocalWorker', plugins.names)
        for name in plugins.names:
            self.assertTrue(issubclass(plugins.get(name), AbstractWorker), name)

    def test_steps(self):
        """Every kind of step of the release is found, and is one of our steps."""
        plugins = get_plugins('steps', None)
        # those of the release's own CI need a library that is not installed with it
        names = [name for name in plugins.names if not name.startswith('Buildbot')]
        self.assertIn('ShellCommand', names)
        for name in names:
            self.assertTrue(issubclass(plugins.get(name), BuildStep), name)

    def test_schedulers(self):
        """Every kind of scheduler of the release is found, and the Triggerable is ours."""
        plugins = get_plugins('schedulers', None, load_now=True)
        self.assertLessEqual({'Nightly', 'SingleBranchScheduler', 'Try_Jobdir'}, set(plugins.names))
        self.assertIs(plugins.get('Triggerable'), Triggerable)

    def test_reporters(self):
        """Every kind of reporter of the release is found, and ours among them."""
        names = get_plugins('reporters', None, load_now=True).names
        self.assertLessEqual({'LockMetrics', 'MailNotifier', 'HttpStatusPush'}, set(names))


class AboutPage(unittest.SynchronousTestCase):
    def test_versions(self):
        """The About page names Interlock behind the release, and before what the user adds."""
        master = SimpleNamespace(config=MasterConfig())
        theirs = [('Lab', '7')]
        versions = get_www_frontend_config_dict(master, {'versions': theirs})['versions']
        self.assertEqual([name for name, _ in versions[:3]], ['Python', 'Buildbot', 'Twisted'])
        self.assertEqual(versions[3:], [('Interlock', overlay.__version__), *theirs])


class TestFiles(unittest.SynchronousTestCase):
    """The files of the overlay's own tests."""

    @staticmethod
    def imported(source):
        """Name the test files that a source imports something from, or as a whole."""
        names = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                names += [f'{node.module}.{alias.name}' for alias in node.names]
            elif isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
        return [name for name in names if '.test_' in f'.{name}']

    def test_alone(self):
        """No test file imports from another one: what both need stands in test/util."""
        paths = list((TREE / 'test').rglob('*.py'))
        self.assertIn('test_overlay.py', [path.name for path in paths])
        found = {str(path): self.imported(path.read_text()) for path in paths}
        self.assertEqual({path: names for path, names in found.items() if names}, {})

    @parameterized.expand(
        [
            (
                'name',
                'from buildbot.test.unit.test_x import Case',
                'buildbot.test.unit.test_x.Case',
            ),
            ('module', 'from buildbot.test.unit import test_x', 'buildbot.test.unit.test_x'),
            ('whole', 'import buildbot.test.unit.test_x', 'buildbot.test.unit.test_x'),
            ('inside', 'def f():\n from .test_x import Case', 'test_x.Case'),
            ('util', 'from buildbot.test.util.lab import Gate', ''),
        ]
    )
    def test_is_found(self, _, source, expected):
        """Whatever way it imports, it is found."""
        self.assertEqual(self.imported(source), expected.split())


class NoCopiedText(unittest.SynchronousTestCase):
    WINDOW = 3

    def windows(self, path):
        lines = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
        # imports and lone brackets say nothing of where a text comes from
        own = [x for x in lines if len(x) > 3 and not x.startswith(('from ', 'import ', '#'))]
        return {tuple(own[i : i + self.WINDOW]) for i in range(len(own) - self.WINDOW + 1)}

    def test_none(self):
        """No three lines that follow one another stand in the release too."""
        releases = [RELEASE, Path(buildbot_worker.__file__).parent]
        paths = [path for release in releases for path in release.rglob('*.py')]
        theirs = set().union(*map(self.windows, paths))
        trees = [TREE, Path(buildslave.__file__).parent]
        copied = {
            str(path): found
            for tree in trees
            for path in tree.rglob('*.py')
            if (found := self.windows(path) & theirs)
        }
        self.maxDiff = None
        self.assertEqual(copied, {})
