# SPDX-License-Identifier: GPL-2.0-only
"""Build the wheel: the overlay, the sparse tree inside it, start-up files, and the Locks page."""

import os
import re

from setuptools import find_packages
from setuptools import setup
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))


def read(path):
    with open(os.path.join(HERE, path), encoding='utf-8') as f:
        return f.read()


class build_py_with_start(build_py):
    """Builds the tree and the files that activate the overlay when an interpreter starts.

    ``.start`` is the successor of the code lines of ``.pth`` (PEP 829); a Python that knows it
    ignores the ``.pth`` of the same name.
    """

    start_files = {
        'buildbot_interlock.pth': 'import buildbot_overlay; buildbot_overlay.activate()\n',
        'buildbot_interlock.start': 'buildbot_overlay:activate\n',
    }

    def run(self):
        super().run()
        if not self.editable_mode:
            # Buildbot's web server reads VERSION from each of its plugins
            page = {'buildbot_locks_view/VERSION': self.distribution.get_version()}
            for name, text in {**self.start_files, **page}.items():
                with open(os.path.join(self.build_lib, name), 'w', encoding='utf-8') as f:
                    f.write(text)


tree = ['buildbot', *('buildbot.' + package for package in find_packages('buildbot'))]
# also for a machine that is only a worker
slave = ['buildbot-worker >=4.3,<4.4', 'fissix >=24.4.24']
test = [
    *slave,
    'prometheus_client >=0.14',
    'buildbot-www >=4.3,<4.4',
    'hypothesis',
    'parameterized',
    'selenium',
    'treq',
]
version = re.search(r"^__version__ = '(.+)'", read('buildbot_overlay/__init__.py'), re.MULTILINE)

setup(
    name='buildbot-interlock',
    version=version.group(1),
    description='Buildbot with branch locks, step groups and workers that never only wait',
    long_description=read('README.rst'),
    long_description_content_type='text/x-rst',
    license='GPL-2.0-only',
    python_requires='>=3.9',
    packages=[
        'buildbot_overlay',
        *('buildbot_overlay.tree.' + package for package in tree),
        'buildslave',
        'buildslave.scripts',
        'buildbot_locks_view',
    ],
    package_dir={
        'buildbot_overlay.tree.buildbot': 'buildbot',
        'buildbot_locks_view': 'www/locks_view/buildbot_locks_view',
    },
    package_data={
        'buildbot_overlay.tree.buildbot': [
            'db/migrations/versions/*.py',
            'seams.txt',
            'test/integration/examples/*.cfg',
        ],
        'buildbot_locks_view': ['static/*'],
    },
    cmdclass={'build_py': build_py_with_start},
    install_requires=['buildbot >=4.3,<4.4'],
    extras_require={
        'bundle': ['buildbot[bundle] >=4.3,<4.4'],
        'bench': [*test, 'matplotlib >=3.6'],
        'slave': slave,
        'test': test,
        'metrics': ['prometheus_client >=0.14'],
        'docs': ['sphinx >=7', 'towncrier >=23'],
        'series': ['libcst', 'tomli; python_version < "3.11"'],
        'lint': ['mypy ==1.15.0', 'ruff ==0.11.8'],
    },
    entry_points={
        'console_scripts': ['buildslave = buildslave.scripts.runner:run'],
        'buildbot.buildslave': ['BuildSlave = buildbot.buildslave:BuildSlave'],
        'buildbot.reporters': [
            'LockGenerator = buildbot.reporters.generators.lock:LockGenerator',
            'LockMessageFormatter = buildbot.reporters.lockmessage:LockMessageFormatter',
            'LockMetrics = buildbot.reporters.lockmetrics:LockMetrics',
        ],
        'buildbot.steps': ['StepGroup = buildbot.process.groups.step:StepGroup'],
        'buildbot.util': [
            'BranchLock = buildbot.locks:BranchLock',
            'Resource = buildbot.locking.resource:Resource',
            'ResourcePool = buildbot.pools:ResourcePool',
            'LockEndpointMatcher = buildbot.www.authz.lockmatchers:LockEndpointMatcher',
            'SlaveLock = buildbot.locks:SlaveLock',
        ],
        'buildbot.www': ['locks_view = buildbot_locks_view:ep'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: No Input/Output (Daemon)',
        'Framework :: Buildbot',
        'Intended Audience :: Developers',
        'Programming Language :: Python :: 3',
        'Topic :: Software Development :: Testing',
    ],
)
