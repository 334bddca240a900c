# SPDX-License-Identifier: GPL-2.0-only
"""The data API knows locks, and why something waits; a number too large for an id finds nothing."""

from __future__ import annotations

from typing import Any

from buildbot.data import exceptions
from buildbot.data import resultspec
from buildbot.util import pathmatch
from buildbot_overlay import release

upstream = release(__name__)


def number(text: Any) -> int:
    """Return a number from a path.

    :raises ValueError: it is not a number that a database can be asked for.
    """
    found = int(text)
    if abs(found) > resultspec.LARGEST:
        raise ValueError('the number is too large')
    return found


class Matcher(pathmatch.Matcher):
    """Finds the endpoint of a path; there is none for a number that cannot be an id."""

    type_fns = {**pathmatch.Matcher.type_fns, 'n': number}


class DataConnector(upstream.DataConnector):
    """The data API of a master, which finds what a path names. It stores nothing."""

    submodules = [
        *upstream.DataConnector.submodules,
        'buildbot.data.lockactions',
        'buildbot.data.locks',
        'buildbot.data.lockuses',
        'buildbot.data.reasons',
    ]

    def __init__(self) -> None:
        super().__init__()
        self.matcher = Matcher()

    def resultspec_from_jsonapi(self, req_args: Any, entityType: Any, is_collection: bool) -> Any:
        """Return what the query part of an address asks for.

        :raises InvalidQueryParameter: it asks for something impossible.
        """
        rspec = super().resultspec_from_jsonapi(req_args, entityType, is_collection)
        for name, value in (('limit', rspec.limit), ('offset', rspec.offset)):
            if value is not None and abs(value) > resultspec.LARGEST:
                raise exceptions.InvalidQueryParameter(f'{name} is too large: {value}')
        return rspec
