# SPDX-License-Identifier: GPL-2.0-only
"""No value makes a filter fail: times compare as seconds, an impossible value never matches."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from typing import Callable
from typing import Generator
from typing import Iterable

from buildbot.util import datetime2epoch
from buildbot_overlay import release

upstream = release(__name__)

#: the largest number that a database can be asked for
LARGEST = 2**63 - 1


class FieldBase(upstream.FieldBase):
    """Which rows are wanted, by the values of one field. It does not sort them."""

    def getOperator(self, sqlMode: bool = False) -> Callable[[Any, Any], Any]:
        """Return the function that compares a field, or its column, with the values.

        :param sqlMode: whether it is a column.
        :raises KeyError: no column can be compared with the values, but the rows can.
        """
        if sqlMode and any(isinstance(v, int) and abs(v) > LARGEST for v in self.values):
            field = str(self.field)
            raise KeyError(f'no column holds a number like those for {field}')
        return super().getOperator(sqlMode)

    def apply(self, data: Iterable[Any]) -> Generator[Any, None, None]:
        """Yield the rows that match.

        A time is compared as the data API gives it: in whole seconds since the epoch. None, and
        anything that cannot be compared with a given value, is neither more nor less than it, and
        contains nothing.
        """
        is_met = self.getOperator()
        are_numbers = all(isinstance(value, (int, float)) for value in self.values)
        for row in data:
            value = _data_getter(row, self.field)
            if are_numbers and isinstance(value, datetime):
                value = datetime2epoch(value)
            try:
                matches = is_met(value, self.values)
            except TypeError:
                matches = False
            if matches:
                yield row


class Filter(FieldBase, upstream.Filter):
    """A filter of rows by the values of a field. It decides by ``FieldBase``."""


class Property(FieldBase, upstream.Property):
    """A filter of builds by the value of a property. It decides by ``FieldBase``."""
