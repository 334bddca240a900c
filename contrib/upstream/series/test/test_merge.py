# SPDX-License-Identifier: GPL-2.0-only
"""What a module of the fork and the release's become together, with modules made up for it."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial import unittest

from series.merge import Ways
from series.merge import merge_module
from series.merge import order_of
from series.merge import replaced_module
from series.names import Refusal
from series.names import parse

HEAD = """from buildbot_overlay import release

upstream = release(__name__)

"""
THEIRS = '''# licence

from twisted.internet import defer


class Base:
    pass


class Lamp(Base):
    """A lamp."""

    compare_attrs = ('name',)
    known = set(["cold", "warm"])

    def __init__(self, name):
        self.name = name

    def light(self, hours: int = 1) -> None:
        # it costs
        self.hours = hours
        self.on = True

    def weight(self):
        total = self.glass + self.wire
        return total

    def find(self, colour):
        if colour in self.known:
            return colour
        return None

    @defer.inlineCallbacks
    def wait(self):
        yield self.hours
        return self.name

    def later(self):
        d = defer.Deferred()
        return d


def make(name):
    return Lamp(name)
'''


def merge(ours, theirs, where, ways, order=None):
    return merge_module(parse(ours), theirs, where, ways, order).code


def merged(ours, kept=(), skipped=(), order=None, described=()):
    ways = Ways(dict(kept), set(skipped), set(described))
    return merge(HEAD + ours, THEIRS, 'lamp.py', ways, order)


def part(source, start):
    """Return the text of a module from a line to the next line with the same or less indent."""
    lines = source.splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith(start))
    indent = len(lines[first]) - len(lines[first].lstrip())
    found = [lines[first]]
    for line in lines[first + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        found.append(line)
    return '\n'.join(line[indent:] for line in found).strip()


DESCRIBED = '''class Bell:
    """I ring.

    And how."""

    # it is loud
    def ring(self, times):
        """Ring."""
        # not for long
        for time in range(times):
            self.hit("side")
        # it swings
        self.wait()
        # it swings
        self.rest()
'''

OURS = '''class Bell:
    """It rings.

    :ivar times: how often.
    """

    def ring(self, times):
        """Ring it.

        :param times: how often.
        """
        self.wait()
        for time in range(times):
            self.hit('side')
        self.rest()  # at last

    def stop(self):
        self.rest()
'''


class Described(unittest.SynchronousTestCase):
    """What the release says of a class or method that ours replaces."""

    def test_class(self):
        """Docstrings stay, with our fields, and comments stay before the lines that stay."""
        self.assertEqual(
            replaced_module(parse(OURS), DESCRIBED, set()).code,
            '''class Bell:
    """I ring.

    And how.

    :ivar times: how often.
    """

    # it is loud
    def ring(self, times):
        """Ring.

        :param times: how often.
        """
        # it swings
        self.wait()
        # not for long
        for time in range(times):
            self.hit('side')
        # it swings
        self.rest()  # at last

    def stop(self):
        self.rest()
''',
        )

    def test_described(self):
        """A docstring of ours stands alone where the release's would be wrong."""
        source = replaced_module(parse(OURS), DESCRIBED, {'Bell', 'Bell.ring'}).code
        self.assertNotIn('I ring', source)
        self.assertNotIn('"""Ring.', source)
        self.assertIn('"""It rings.', source)

    def test_elsewhere(self):
        """A comment goes with its line into a new method, unless ours has one there."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    def light(self, hours=1):
        self.set(hours)

    def set(self, hours):
        self.hours = hours

    def reset(self, hours):
        # as before
        self.hours = hours
"""
        )
        self.assertIn('def set(self, hours):\n        # it costs\n        self.hours', source)
        self.assertIn('def reset(self, hours):\n        # as before\n        self.hours', source)

    def test_private_name(self):
        """A docstring moves to the method that calls the release's by its private name."""
        ours = """
class Lamp(upstream.Lamp):
    def dim(self):
        try:
            super().dim()
        finally:
            self.rest()
"""
        theirs = 'class Lamp:\n    def dim(self):\n        """Dim it."""\n        self.on = 0.5\n'
        source = merge(HEAD + ours, theirs, 'lamp.py', Ways({'Lamp.dim': '_dim'}, set()))
        kept, dim = (part(source, f'def {name}').splitlines() for name in ('_dim', 'dim'))
        self.assertEqual(kept, ['def _dim(self):', '    self.on = 0.5'])
        self.assertEqual(dim[1], '    """Dim it."""')


class CallsUp(unittest.SynchronousTestCase):
    """Methods that call up."""

    def test_lines_around(self):
        """Our lines come before and after the release's, which keep their comments and types."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    def light(self, hours=1):
        self.check()
        super().light(hours)
        self.count += 1
"""
        )
        self.assertEqual(
            part(source, 'def light'),
            """def light(self, hours: int = 1) -> None:
    self.check()
    # it costs
    self.hours = hours
    self.on = True
    self.count += 1""",
        )
        self.assertNotIn('upstream', source)
        self.assertNotIn('release', source)

    @parameterized.expand(
        [
            ('expression', 'super().weight()', 'total = self.glass + self.wire'),
            ('other_name', 'w = super().weight()', 'w = total'),
            ('same_name', 'total = super().weight()', 'total = self.glass + self.wire'),
        ]
    )
    def test_result(self, _, call, last):
        """The result at the end of the release's method is passed to ours."""
        source = merged(
            f"""
class Lamp(upstream.Lamp):
    def weight(self):
        {call}
        self.weighed = True
"""
        )
        text = part(source, 'def weight').splitlines()
        self.assertEqual(text[-2:], [f'    {last}', '    self.weighed = True'])

    def test_annotated_result(self):
        """The result may have the name that the release gives it with a type."""
        theirs = THEIRS.replace('        total = ', '        total: int = ')
        ours = f'{HEAD}class Lamp(upstream.Lamp):\n    def weight(self):\n'
        ours += '        total = super().weight()\n        self.weighed = total\n'
        source = merge(ours, theirs, 'lamp.py', Ways({}, set()))
        self.assertEqual(
            part(source, 'def weight').splitlines()[1:],
            ['    total: int = self.glass + self.wire', '    self.weighed = total'],
        )

    @parameterized.expand(
        [
            ('alone', 'set()', ['self.hours = set()', 'self.on = True']),
            (
                'of_others',
                'self.on',
                ['self.hours = hours', 'self.on = True', 'self.hours = self.on'],
            ),
        ]
    )
    def test_attribute_of_both(self, _, value, lines):
        """An attribute that both set is set once, unless our value needs what is set before it."""
        source = merged(
            f"""
class Lamp(upstream.Lamp):
    def light(self, hours=1):
        super().light(hours)
        self.hours = {value}
"""
        )
        text = part(source, 'def light').splitlines()
        self.assertEqual([line.strip() for line in text[2:] if line.strip()], lines)

    def test_result_with_a_type(self):
        """The result may have the name that the release's method gives it, with a type."""
        theirs = (
            'class Lamp:\n    def dim(self):\n        by: int = self.ask()\n        return by\n'
        )
        ours = """
class Lamp(upstream.Lamp):
    def dim(self):
        by = super().dim()
        self.tell(by)
        return by
"""
        source = merge(HEAD + ours, theirs, 'lamp.py', Ways({}, set()))
        self.assertEqual(
            part(source, 'def dim').splitlines()[1:],
            ['    by: int = self.ask()', '    self.tell(by)', '    return by'],
        )

    def test_last(self):
        """A method of the release that returns in the middle may follow our lines."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    def find(self, colour):
        self.sought = colour
        return super().find(colour)
"""
        )
        self.assertIn('    self.sought = colour\n    if colour in', part(source, 'def find'))
        self.assertNotIn('super', source)

    def test_waited_for(self):
        """A Deferred that the release's method returns is waited for where ours waits."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    @defer.inlineCallbacks
    def later(self):
        yield super().later()
        self.ready = True
"""
        )
        text = part(source, 'def later')
        self.assertIn('d = defer.Deferred()\n    yield d\n', text)
        self.assertIn('@defer.inlineCallbacks\n    def later', source)

    def test_kept(self):
        """The release's method stays under the private name that the series gives it."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    def find(self, colour):
        found = super().find(colour)
        return found or 'white'
""",
            kept={'Lamp.find': '_find'},
        )
        self.assertIn('return None', part(source, 'def _find'))
        self.assertIn('found = self._find(colour)', part(source, 'def find'))

    def test_skipped(self):
        """If the series says so, an early return in the release's method skips our lines."""
        ours = """
class Lamp(upstream.Lamp):
    def find(self, colour):
        super().find(colour)
        self.sought = colour
"""
        self.assertRaises(Refusal, merged, ours)
        self.assertIn('self.sought', part(merged(ours, skipped={'Lamp.find'}), 'def find'))

    def test_inherited(self):
        """A call up to a method that the release's class inherits stays one."""
        source = merged(
            """
class Lamp(upstream.Lamp):
    def stop(self):
        super().stop()
        self.on = False
"""
        )
        self.assertIn('super().stop()', part(source, 'def stop'))

    def test_function(self):
        """A function calls up by the release's name."""
        source = merged(
            """
def make(name):
    lamp = upstream.make(name)
    lamp.mine = True
    return lamp
"""
        )
        self.assertIn('    lamp = Lamp(name)\n    lamp.mine = True', part(source, 'def make'))


class Refused(unittest.SynchronousTestCase):
    """Modules that cannot be merged."""

    @parameterized.expand(
        [
            ('twice', 'super().weight()\n        super().weight()', 'weight', '2 times'),
            ('inside', 'return 1 + super().weight()', 'weight', 'no statement of its own'),
            ('in_a_loop', 'for i in a:\n            super().find(colour)', 'find', 'in its middle'),
            ('arguments', 'super().light(2)', 'light', 'parameters'),
            ('early', 'x = super().find(colour)\n        return x', 'find', 'in its middle'),
            (
                'name',
                'total = 1\n        super().weight()\n        return total',
                'weight',
                'total',
            ),
            ('waits', 'self.w = super().wait()', 'wait', 'waits'),
        ]
    )
    def test_method(self, _, body, name, why):
        """The refusal names file, class, method and reason."""
        ours = f"""
class Lamp(upstream.Lamp):
    def {name}(self, {'colour' if name == 'find' else 'hours=1' if name == 'light' else ''}):
        {body}
"""
        with self.assertRaises(Refusal) as caught:
            merged(ours)
        self.assertIn(f'lamp.py: Lamp.{name}: ', str(caught.exception))
        self.assertIn(why, str(caught.exception))

    def test_all_are_told(self):
        """All refusals are reported at once."""
        body = 'return 1 + super().weight()\n\n    def find(self):\n        super().find()'
        with self.assertRaises(Refusal) as caught:
            merged(f'class Lamp(upstream.Lamp):\n    def weight(self):\n        {body}\n')
        self.assertEqual(len(str(caught.exception).splitlines()), 2)

    def test_import(self):
        """A name cannot be imported from two places."""
        ours = 'from somewhere import defer\n' + HEAD + 'x = 1\n'
        with self.assertRaises(Refusal) as caught:
            merge(ours, THEIRS, 'lamp.py', Ways({}, set()))
        self.assertIn('lamp.py: defer is another thing', str(caught.exception))

    def test_statement_without_name(self):
        """A statement that runs at import cannot be merged."""
        with self.assertRaises(Refusal):
            merged('print(1)\n')


class Members(unittest.SynchronousTestCase):
    """Members and values of classes."""

    def test_replaced(self):
        """A method that does not call up replaces the release's."""
        source = merged('class Lamp(upstream.Lamp):\n    def weight(self):\n        return 1\n')
        self.assertEqual(part(source, 'def weight'), 'def weight(self):\n    return 1')

    def test_docstring(self):
        """A docstring with fields opens the class; a comment that did so is kept below it."""
        theirs = 'class Lamp:\n    # gives light\n\n    # how much\n    glow = 1\n'
        doc = '    """Gives light.\n\n    :ivar glow: how much.\n    """\n'
        ours = f'{HEAD}class Lamp(upstream.Lamp):\n{doc}'
        source = merge(ours, theirs, 'lamp.py', Ways({}, set()))
        self.assertEqual(
            part(source, 'class Lamp'),
            f'class Lamp:\n{doc}\n    # gives light\n\n    # how much\n    glow = 1',
        )

    def test_docstring_without_fields(self):
        """A sentence about a class that the release leaves without one is not sent."""
        theirs = 'class Lamp:\n    glow = 1\n'
        ours = HEAD + 'class Lamp(upstream.Lamp):\n    """Gives light. It is no sun."""\n'
        self.assertEqual(merge(ours, theirs, 'lamp.py', Ways({}, set())), theirs)

    def test_added(self):
        """A name that the release lacks follows the name that it follows in ours."""
        source = merged(
            """
class Shade:
    pass


class Lamp(upstream.Lamp, Shade):
    colour = 'white'

    def weight(self):
        return 1

    def dim(self):
        pass
"""
        )
        order = order_of(parse(source))
        self.assertEqual(order[''], ['Base', 'Shade', 'Lamp', 'make'])
        members = order['Lamp']
        self.assertEqual(members[:4], ['compare_attrs', 'known', 'colour', '__init__'])
        self.assertEqual(members[members.index('dim') - 1], 'weight')
        self.assertIn('class Lamp(Base, Shade):', source)

    def test_order_of_the_whole(self):
        """A part is placed where it will be when everything is there."""
        head = 'class Lamp(upstream.Lamp):\n'
        whole = f'{head}    def a(self):\n        pass\n\n    def b(self):\n        pass\n'
        first = f'{head}    def b(self):\n        pass\n'
        order = order_of(parse(merged(whole)))
        members = order_of(parse(merged(first, order=order)))['Lamp']
        self.assertEqual(members, [name for name in order['Lamp'] if name != 'a'])

    def test_accumulated(self):
        """Attributes that Buildbot collects over a class's bases are added to the release's."""
        source = merged("class Lamp(upstream.Lamp):\n    compare_attrs = ('colour',)\n")
        self.assertIn("compare_attrs = ('name', 'colour')", source)

    def test_more_in_a_list(self):
        """A list that begins with the release's gets its elements, and stays a list."""
        theirs = 'class Lamp:\n    parts = [\n        "glass",\n        "wire",\n    ]\n'
        ours = "class Lamp(upstream.Lamp):\n    parts = [*upstream.Lamp.parts, 'foot']\n"
        source = merge(HEAD + ours, theirs, 'lamp.py', Ways({}, set()))
        names = {}
        exec(source, names)
        self.assertEqual(names['Lamp'].parts, ['glass', 'wire', 'foot'])

    def test_made_of_another(self):
        """An attribute made from another one of the class names that, and is near its like."""
        theirs = (
            'class Lamp:\n    parts = set()\n    glass = Part(parts)\n    glow = 1\n'
            '    check(parts)\n\n    def light(self):\n        pass\n'
        )
        ours = 'class Lamp(upstream.Lamp):\n    wire = Part(upstream.Lamp.parts)\n'
        source = merge(HEAD + ours, theirs, 'lamp.py', Ways({}, set()))
        self.assertIn('    glass = Part(parts)\n    wire = Part(parts)\n    glow = 1', source)
        self.assertIn('    check(parts)\n', source)  # a line without a name also stays

    def test_more_in_a_set(self):
        """A string that is added to a set of the release's is sorted into it."""
        source = merged("class Lamp(upstream.Lamp):\n    known = upstream.Lamp.known | {'hot'}\n")
        self.assertIn('known = set(["cold", "hot", "warm"])', source)

    def test_of_a_base(self):
        """What the release's class inherits is taken from its base."""
        source = merged('class Lamp(upstream.Lamp):\n    __hash__ = upstream.Lamp.__hash__\n')
        self.assertIn('__hash__ = Base.__hash__', source)


class Imports(unittest.SynchronousTestCase):
    """The imports of both modules."""

    def test_added_once(self):
        """An import that the release has appears once, and that of the overlay not at all."""
        ours = 'from twisted.internet import defer\nfrom lamps import Shade\n' + HEAD
        source = merge(ours, THEIRS, 'lamp.py', Ways({}, set()))
        self.assertEqual(source.count('import defer'), 1)
        self.assertIn('from lamps import Shade', source)

    def test_same_thing(self):
        """Names of collections.abc equal those of typing, and stay as the release has them."""
        theirs = f'from collections.abc import Callable\n{THEIRS}'
        ours = f'from typing import Callable\n{HEAD}'
        source = merge(ours, theirs, 'lamp.py', Ways({}, set()))
        self.assertEqual(source.count('import Callable'), 1)
        self.assertIn('from collections.abc import Callable', source)
        self.assertNotIn('buildbot_overlay', source)

    def test_type_checking(self):
        """An import for types only goes to the release's imports for types, or to a new block."""
        ours = f'from typing import TYPE_CHECKING\n{HEAD}if TYPE_CHECKING:\n    from a import B\n'
        source = merge(ours, THEIRS, 'lamp.py', Ways({}, set()))
        self.assertIn('if TYPE_CHECKING:\n    from a import B', source)
        again = merge(ours.replace('a import B', 'c import D'), source, 'l.py', Ways({}, set()))
        self.assertIn('if TYPE_CHECKING:\n    from a import B\n    from c import D', again)
