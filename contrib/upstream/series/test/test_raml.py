# SPDX-License-Identifier: GPL-2.0-only
"""The series describes the data API of the fork in the release's way, and completely."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.data import lockactions
from buildbot.data import locks
from buildbot.data import lockuses
from buildbot.data import reasons
from buildbot.data.types import DateTime
from buildbot.data.types import List
from buildbot.data.types import NoneOk
from buildbot.process.eye.reason import KINDS
from buildbot.process.eye.use import RESULTS
from buildbot.process.lockfacts import BY_HAND
from series.plan import Series

RAML = Path(__file__).resolve().parents[2] / 'manual' / 'raml'
TYPES = [
    *(locks.Lock, locks.Copy, locks.Holder, locks.Waiter),
    lockactions.LockAction,
    *(lockuses.Use, lockuses.Point, lockuses.Cost),
    reasons.Reason,
]
#: what can own a claim, besides people and quarantines
OWNERS = ('request', 'build', 'group', 'step', 'other')


def read(name):
    """Return a file as it is when the whole series is there."""
    text = (RAML / name).read_text('utf-8')
    for commit in Series(RAML.parents[1] / 'series.toml').commits:
        for change in commit.manual:
            if change['file'].endswith(f'types/{name}') and 'old' in change:
                text = text.replace(change['old'], change['new'])
    return yaml.safe_load(text)


def paths(tree, start=''):
    """Yield each path below one, with the type of its result."""
    for name, below in tree.items():
        if name.startswith('/'):
            for each in below.get('get', {}).get('is', []):
                yield start + name, each['bbget']['bbtype']
            yield from paths(below, start + name)


class Documented(unittest.SynchronousTestCase):
    """The description and the code of the data API."""

    @parameterized.expand([(kind.name, kind) for kind in TYPES])
    def test_fields(self, name, kind):
        """Each field is described, with its type and whether it may be None."""
        said = {field: about['type'] for field, about in read(f'{name}.raml')['properties'].items()}
        has = {}
        for field, type in kind.entityType.fields.items():
            mark = ''
            if isinstance(type, NoneOk):
                type, mark = type.nestedType, '?'
            elif isinstance(type, List):
                type, mark = type.of, '[]'
            has[field + mark] = 'date' if isinstance(type, DateTime) else type.ramlType
        self.assertEqual(said, has)

    @parameterized.expand(
        [
            ('reason', 'kind', KINDS),
            ('use', 'result', RESULTS),
            *((name, 'kind', (*OWNERS, *BY_HAND)) for name in ('holder', 'waiter', 'use')),
        ]
    )
    def test_words(self, name, field, words):
        """Each word that a field can have is named, when the whole series is there."""
        said = read(f'{name}.raml')['properties'][field]['description']
        named = set(re.findall(r'``(\w+)``', said))
        self.assertEqual(named, set(words))

    def test_paths(self):
        """Each endpoint is described, and no other one."""
        said = set(paths(read('locks.raml')))
        for file, start in [
            ('of-builder.raml', '/builders/{builderid}'),
            ('of-request.raml', '/buildrequests/{buildrequestid}'),
            ('of-build.raml', '/builds/{buildid}'),
            ('of-step.raml', '/steps/{stepid}'),
            ('of-copy.raml', '/copies/{copyid}'),
            ('of-lock.raml', '/locks/{lockid}'),
        ]:
            said.update(paths(read(file), start))
        has = set()
        for kind in TYPES:
            for endpoint in kind.endpoints:
                for path in endpoint.pathPatterns:
                    has.add((re.sub(r'n:(\w+)', r'{\1}', path), kind.name))
        self.assertEqual(said, has)
