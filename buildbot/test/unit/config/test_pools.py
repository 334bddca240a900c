# SPDX-License-Identifier: GPL-2.0-only
"""What ``checkconfig`` says of resource pools, sentence by sentence."""

from __future__ import annotations

from parameterized import parameterized

from buildbot.test.util.reading import Reading

#: a pool of two boards, of which one is on the worker ``w`` only
POOL = (
    'R = util.Resource\n'
    "boards = util.ResourcePool('boards', [\n"
    "    R('1', ['a', 'hw-a']), R('2', ['a', 'hw-c'], workers=['w'])])\n"
)


class Wanted(Reading):
    """What is wanted of a pool and can never be granted."""

    @parameterized.expand(
        [
            ('nothing_fits', "boards.access(labels='b')", "no resource fits 'b'"),
            ('more_than_there_are', 'boards.access(3)', '3 can never be granted: there are 2'),
            (
                'more_than_fit',
                "boards.access(2, 'hw-a')",
                "2 that fit 'hw-a' can never be granted: there is 1",
            ),
            (
                'not_the_same',
                "boards.access(2, same='hw')",
                "2, of the same 'hw', can never be granted: there are never so many that agree",
            ),
            (
                'not_together',
                "boards.access(1, 'a'), boards.access(2, 'a')",
                "1 that fits 'a' and 2 that fit 'a' can never be granted together: there are too"
                ' few such resources',
            ),
            (
                'twice_with_the_whole',
                'boards, boards.access(exclusive=True)',
                'it is in one list twice',
            ),
        ]
    )
    def test_wanted(self, _, locks, sentence):
        """It is told with the builder, or with the step and its line."""
        told = self.read(f'{POOL}build(locks=[{locks}])')
        self.assertEqual(told, [f"builder 'a': lock 'boards': {sentence}"])
        told = self.read(f"{POOL}build(Shell(name='flash', command='x', locks=[{locks}]))  # here")
        self.assertEqual(told, [f"builder 'a', step 'flash': lock 'boards': {sentence} (HERE)"])

    def test_on_no_worker(self):
        """What is only on workers that the builder has not got is told with those it has."""
        told = self.read(
            f"{POOL}c['workers'].append(worker.Worker('v', 'pw'))\n"
            "build(locks=[boards.access(labels='hw-c')], workername='v')"
        )
        sentence = "1 that fits 'hw-c' can be granted on none of the workers 'v'"
        self.assertEqual(told, [f"builder 'a': lock 'boards': {sentence}"])

    @parameterized.expand(
        [
            (
                'mode',
                "'exclusive'",
                "'exclusive' is not a number of resources; a pool is taken with"
                ' access(count=1), or with access(exclusive=True)',
            ),
            ('count', '-1', '-1 is not a number of resources'),
            (
                'count_and_whole',
                '2, exclusive=True',
                'exclusive access takes the whole pool, so nothing else can be given',
            ),
            (
                'labels',
                "labels='a &'",
                "labels 'a &': at character 4: a label is expected, not the end",
            ),
            ('no_text', 'labels=3', 'labels must be an expression over labels, not 3'),
            (
                'same',
                'same=3',
                'same must be the name of a property or of a family of labels, not 3',
            ),
            ('exclusive', 'exclusive=1', 'exclusive must be True or False, not 1'),
        ]
    )
    def test_access(self, _, words, sentence):
        """What is no way to take resources is told when it is written."""
        told = self.read(f'{POOL}one = boards.access({words})\nbuild(locks=[one])')
        self.assertEqual(len(told), 1, told)
        self.assertTrue(told[0].startswith(f"lock 'boards': {sentence} ("), told)

    def test_worker(self):
        """A pool is no lock of a worker's own."""
        told = self.read(f"{POOL}c['workers'] = [worker.Worker('w', 'pw', locks=[boards])]")
        self.assertEqual(
            told,
            [
                "worker 'w': lock 'boards': a resource pool cannot stand here: its resources are"
                ' for builds and steps'
            ],
        )

    def test_fine(self):
        """What can be had is no error: several of one pool, the whole, none."""
        self.assertEqual(
            self.read(
                f'{POOL}build(Shell(command="x", locks=[boards.access(exclusive=True)]),'
                " locks=[boards.access(labels='hw-a'), boards.access(labels='hw-c')])\n"
                "build(locks=[boards.access(0)], name='b')"
            ),
            [],
        )


class Pools(Reading):
    """Pools that are wrong in themselves."""

    @parameterized.expand(
        [
            ('name', "R('')", "resource '': its name must be a string that is not empty, not ''"),
            ('labels', "R('1', 'arm')", "resource '1': labels must be a list of names, not 'arm'"),
            (
                'list_of_labels',
                "R('1', [['arm']])",
                "resource '1': labels must be a list of names, not [['arm']]",
            ),
            (
                'label',
                "R('1', [3])",
                "resource '1': labels must be a string that is not empty, not 3",
            ),
            (
                'workers',
                "R('1', workers='w')",
                "resource '1': workers must be a list of names, not 'w'",
            ),
            (
                'no_worker',
                "R('1', workers=[])",
                "resource '1': workers is empty, so it can be used on none",
            ),
            (
                'properties',
                "R('1', properties=3)",
                "resource '1': properties must be a dictionary with names as keys, not 3",
            ),
            (
                'no_json',
                "R('1', properties={'tty': {1}})",
                "resource '1': property 'tty' cannot be written as JSON: {1}",
            ),
            ('twice', "R('1'), R('1')", "it has two resources named '1'"),
            ('no_resource', "'1'", "'1' is not a resource"),
        ]
    )
    def test_resource(self, _, resources, sentence):
        """It is told with the pool, the resource and the line."""
        told = self.read(
            f"R = util.Resource\nboards = util.ResourcePool('boards', [{resources}])  # here"
        )
        self.assertEqual(told, [f"lock 'boards': {sentence} (HERE)"])

    def test_in_two_pools(self):
        """A resource in two pools is told with the lines of both."""
        (told,) = self.read(
            "one = util.ResourcePool('one', [util.Resource('1')])\n"
            "two = util.ResourcePool('two', [util.Resource('1')])  # here\n"
            'build(locks=[one, two])'
        )
        first = f'{self.file}:{self.here[0] - 1}'
        self.assertEqual(
            told,
            f"lock 'two': resource '1' is in the pool 'one' too ({first}), and can be in only one"
            ' (HERE)',
        )

    def test_no_such_worker(self):
        """A resource on a worker that there is not is told."""
        told = self.read(
            "one = util.ResourcePool('one', [util.Resource('1', workers=['w', 'v'])])  # here\n"
            'build(locks=[one])'
        )
        self.assertEqual(told, ["lock 'one': resource '1': there is no worker 'v' (HERE)"])
