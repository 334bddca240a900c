# SPDX-License-Identifier: GPL-2.0-only
"""Filters and orders of rows that are computed in memory, whatever is in these."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.data.connector import DataConnector
from buildbot.data.exceptions import InvalidQueryParameter
from buildbot.data.resultspec import Filter
from buildbot.data.resultspec import ResultSpec
from buildbot.util import epoch2datetime

ROWS = [
    {'row': 1, 'at': epoch2datetime(100.25), 'text': 'main', 'count': 3, 'several': [1, 2]},
    {'row': 2, 'at': None, 'text': None, 'count': None, 'several': None},
    {'row': 3, 'at': epoch2datetime(200), 'text': 'mainz', 'count': 5, 'several': []},
]


def rows_of(**words: Any) -> list[int]:
    return [row['row'] for row in ResultSpec(**words).apply(ROWS)]


class Filters(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('time_gt', 'at', 'gt', [100], [3]),
            ('time_ge', 'at', 'ge', [100], [1, 3]),
            ('time_lt', 'at', 'lt', [200], [1]),
            ('time_le', 'at', 'le', [200.5], [1, 3]),
            ('time_eq', 'at', 'eq', [100], [1]),
            ('time_ne', 'at', 'ne', [100], [2, 3]),
            ('times_eq', 'at', 'eq', [100, 200], [1, 3]),
            ('times_notin', 'at', 'notin', [100, 7], [2, 3]),
            ('time_and_time', 'at', 'gt', [epoch2datetime(100)], [1, 3]),
            ('time_contains', 'at', 'contains', [1], []),
            ('time_and_text', 'at', 'gt', ['x'], []),
            ('time_is_none', 'at', 'eq', [None], [2]),
            ('number_gt', 'count', 'gt', [3], [3]),
            ('number_le', 'count', 'le', [5], [1, 3]),
            ('number_and_none', 'count', 'lt', [None], []),
            ('number_and_text', 'count', 'lt', ['x'], []),
            ('number_contains', 'count', 'contains', [3], []),
            ('large_number', 'count', 'lt', [10**30], [1, 3]),
            ('text_contains', 'text', 'contains', ['z'], [3]),
            ('text_contains_number', 'text', 'contains', [1], []),
            ('text_gt', 'text', 'gt', ['main'], [3]),
            ('list_contains', 'several', 'contains', [1], [1]),
            ('list_contains_one_of', 'several', 'contains', [2, 7], [1]),
            ('list_in', 'several', 'in', [1], []),
        ]
    )
    def test_filter(self, _: str, field: str, op: str, values: list[Any], rows: list[int]) -> None:
        """A time is compared as what is told of it; what cannot be compared does not match."""
        self.assertEqual(rows_of(filters=[Filter(field, op, values)]), rows)

    @parameterized.expand(
        [
            ('time', ['at'], [2, 1, 3]),
            ('time_reverse', ['-at'], [3, 1, 2]),
            ('text', ['text', 'row'], [2, 1, 3]),
            ('number_reverse', ['-count', 'at'], [3, 1, 2]),
            ('list', ['several'], [2, 3, 1]),
        ]
    )
    def test_order(self, _: str, order: list[str], rows: list[int]) -> None:
        """Rows in which a field is None come before all others."""
        self.assertEqual(rows_of(order=order), rows)

    def test_large_number_in_database(self) -> None:
        """A number that the database cannot be asked for is compared with the rows instead."""
        metadata = sa.MetaData()
        table = sa.Table('t', metadata, sa.Column('id', sa.Integer, primary_key=True))
        engine = sa.create_engine('sqlite://')
        metadata.create_all(engine)
        large = Filter('id', 'lt', [10**30])
        spec = ResultSpec(filters=[large, Filter('id', 'gt', [1])])
        spec.fieldMapping = {'id': 't.id'}
        with engine.connect() as conn:
            conn.execute(table.insert(), [{'id': 1}, {'id': 2}])
            rows = spec.thd_execute(conn, sa.select(table), lambda row: dict(row._mapping))
        engine.dispose()
        self.assertEqual((rows, spec.filters), ([{'id': 2}], [large]))
        self.assertEqual(list(spec.apply(rows)), [{'id': 2}])

    @parameterized.expand([('large', 2**63), ('negative', -(2**63))])
    def test_large_number_in_path(self, _: str, number: int) -> None:
        """There is no endpoint for a number that the database cannot be asked for."""
        matcher = DataConnector().matcher
        matcher['builds', 'n:buildid'] = 'a build'
        with self.assertRaises(KeyError):
            matcher['builds', str(number)]
        largest = number - 1 if number > 0 else number + 1
        self.assertEqual(matcher['builds', str(largest)], ('a build', {'buildid': largest}))

    @parameterized.expand([('limit',), ('offset',)])
    def test_large_window(self, name: str) -> None:
        """A query that asks for too many rows, or to leave out too many, is refused."""
        query = {name.encode(): [str(2**63).encode()]}
        with self.assertRaises(InvalidQueryParameter) as refused:
            DataConnector().resultspec_from_jsonapi(query, None, True)
        self.assertEqual(str(refused.exception), f'{name} is too large: {2**63}')
