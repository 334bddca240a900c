# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the expressions over the labels and properties of a resource."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.locking.expressions import COMPARISONS
from buildbot.locking.expressions import Comparison
from buildbot.locking.expressions import Either
from buildbot.locking.expressions import Every
from buildbot.locking.expressions import Label
from buildbot.locking.expressions import Not
from buildbot.locking.labels import LabelError
from buildbot.locking.labels import parse

#: ``LOCK_HISTORIES=100`` tries more expressions, as CI does
EXAMPLES = int(os.environ.get('LOCK_HISTORIES', '30'))

LABELS = frozenset({'board-1', 'stm32', 'hw-c', 'on the shelf'})
PROPERTIES = {'tty': '/dev/ttyUSB0', 'ram': 512, 'volts': 3.3, 'spare': None}

texts = st.text(st.sampled_from('ab-/ "&|!()=1'), max_size=5).filter(
    lambda text: not ('"' in text and "'" in text)
)
numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000)
comparisons = st.builds(
    Comparison,
    st.sampled_from(['tty', 'ram']),
    st.sampled_from(sorted(COMPARISONS)),
    texts | numbers,
)
leaves = st.builds(Label, st.sampled_from(sorted(LABELS))) | st.builds(Label, texts) | comparisons


def larger(parts):
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    unlike = parts.filter(lambda part: not isinstance(part, Not))
    return several.map(Every) | several.map(Either) | unlike.map(Not)


expressions = st.recursive(leaves, larger, max_leaves=10)


class Fits(unittest.TestCase):
    @parameterized.expand(
        [
            ('stm32', True),
            ('stm3', False),
            ('board-1', True),
            ("'on the shelf'", True),
            ('"on the shelf"', True),
            ('!stm32', False),
            ('!!stm32', True),
            ('stm32 & hw-c', True),
            ('stm32&!hw-a', True),
            ('stm32 & hw-a', False),
            ('esp32 | stm32', True),
            ('esp32 | avr', False),
            # '&' binds closer than '|', and '!' closer than both
            ('stm32 | hw-c & avr', True),
            ('(stm32 | hw-c) & avr', False),
            ('!avr & stm32', True),
            ('!(avr & stm32)', True),
            ("tty == '/dev/ttyUSB0'", True),
            ("tty == '/dev/ttyUSB1'", False),
            ("tty != '/dev/ttyUSB1'", True),
            ('ram >= 512', True),
            ('ram > 512', False),
            ('ram<=512', True),
            ('ram < 512.5', True),
            ('ram == 5.12e+2', True),
            ('ram > -1', True),
            ('volts < 5', True),
            ('!ram < 512', True),
            # a property that it has not got fits nothing, not even what is unlike
            ("probe != 'a'", False),
            ("!(probe == 'a')", True),
            # one of another kind is neither less nor more
            ("ram < 'a'", False),
            ("ram >= 'a'", False),
            ("ram != 'a'", True),
            ('spare < 1', False),
            ('spare != 1', True),
        ]
    )
    def test_fits(self, text, expected):
        """An expression says whether a resource is meant."""
        self.assertIs(parse(text).fits(LABELS, PROPERTIES), expected)


class Errors(unittest.TestCase):
    @parameterized.expand([
        ('', "labels '': at character 1: a label is expected, not the end"),
        ('  ', "labels '  ': at character 3: a label is expected, not the end"),
        ('a &', "labels 'a &': at character 4: a label is expected, not the end"),
        ('a & & b', "labels 'a & & b': at character 5: a label is expected, not '&'"),
        ('a b', "labels 'a b': at character 3: '&' or '|' is expected, not 'b'"),
        ('a, b', "labels 'a, b': at character 2: ',' is not allowed here"),
        ('a and  ?', "labels 'a and  ?': at character 3: '&' or '|' is expected, not 'and'"),
        ('a |  ?', "labels 'a |  ?': at character 6: '?' is not allowed here"),
        ('(a', "labels '(a': at character 3: ')' is expected, not the end"),
        ('(a b)', "labels '(a b)': at character 4: ')' is expected, not 'b'"),
        ('a)', "labels 'a)': at character 2: '&' or '|' is expected, not ')'"),
        ('-a', "labels '-a': at character 1: '-' is not allowed here"),
        ('-1', "labels '-1': at character 1: a label is expected, not '-1'"),
        ('"a', 'labels \'"a\': at character 1: the quote is not closed'),
        (
            'tty == ttyUSB0',
            "labels 'tty == ttyUSB0': at character 8: a number or a text in quotes is expected,"
            " not 'ttyUSB0'",
        ),
        (
            'ram >=',
            "labels 'ram >=': at character 7: a number or a text in quotes is expected, not the"
            ' end',
        ),
        ('ram = 1', "labels 'ram = 1': at character 5: '=' is not allowed here"),
        ("'ram' > 1", "labels \"'ram' > 1\": at character 7: '&' or '|' is expected, not '>'"),
        ('1 < ram < 2', "labels '1 < ram < 2': at character 5: a number or a text in quotes is"
         " expected, not 'ram'"),
        ('ram > 1e400', "labels 'ram > 1e400': at character 7: the number is too large"),
        ('a\n| b', "labels 'a\\n| b': at character 2: '\\n' is not allowed here"),
    ])  # fmt: skip
    def test_errors(self, text, expected):
        """What is no expression is refused in one sentence, which says where."""
        error = self.assertRaises(LabelError, parse, text)
        self.assertEqual(str(error), expected)

    def test_deep(self):
        """More brackets than anybody writes are refused, however many they are."""
        self.assertEqual(parse('(' * 50 + 'a' + ')' * 50), Label('a'))
        error = self.assertRaises(LabelError, parse, '(' * 100_000)
        self.assertTrue(str(error).endswith('at character 52: more than 50 brackets are open'))

    def test_long(self):
        """A long row and many a '!' take no recursion."""
        self.assertTrue(parse('|'.join(['a'] * 20_000)).fits({'a'}, {}))
        self.assertFalse(parse('!' * 20_001 + 'a').fits({'a'}, {}))
        self.assertRaises(LabelError, parse, 'ram > ' + '1' * 20_000)


class Printed(unittest.TestCase):
    @parameterized.expand(
        [
            ('a&!b', 'a & !b'),
            ('((a))|b&c', 'a | (b & c)'),
            ('!(a|b)', '!(a | b)'),
            ('!ram>1', '!(ram > 1)'),
            ('"it\'s"', '"it\'s"'),
            ('"a b"', "'a b'"),
            ('"ab"', 'ab'),
            ('ram>=0512', 'ram >= 512'),
        ]
    )
    def test_text(self, text, expected):
        """An expression is told in one way, however it was written."""
        self.assertEqual(parse(text).text, expected)

    @given(expressions)
    @settings(max_examples=3 * EXAMPLES, deadline=None)
    def test_parsed_again(self, expression):
        """What is printed means the same when it is read, and is printed as before."""
        again = parse(expression.text)
        self.assertEqual(again, expression)
        self.assertEqual(again.text, expression.text)

    @given(st.text(st.sampled_from('ab1 &|!()<>="\'-.')))
    @settings(max_examples=5 * EXAMPLES, deadline=None)
    def test_any_text(self, text):
        """Any text is an expression or is refused as none; nothing else comes of it."""
        try:
            expression = parse(text)
        except LabelError:
            return
        self.assertEqual(parse(expression.text), expression)
