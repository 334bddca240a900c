# SPDX-License-Identifier: GPL-2.0-only
"""A builder may be configured with the words of Buildbot 0.8."""

from __future__ import annotations

import inspect
from typing import Any

from buildbot.config.errors import error
from buildbot.config.fileline import at
from buildbot.config.fileline import line_that_runs
from buildbot.config.oldwords import old_word
from buildbot_overlay import release

upstream = release(__name__)


class BuilderConfig(upstream.BuilderConfig):
    """A builder, as it is configured.

    :param slavename: the old word for ``workername``.
    :param slavenames: the old word for ``workernames``.
    :param slavebuilddir: the old word for ``workerbuilddir``.
    :param category: the old word for ``tags``; there was only one.
    :param nextSlave: refused, since its arguments no longer exist.
    :param mergeRequests: the old word for ``collapseRequests``; a function is refused, since its
        arguments no longer exist.
    """

    def __init__(
        self,
        *args: Any,
        slavename: Any = None,
        slavenames: Any = None,
        slavebuilddir: Any = None,
        category: Any = None,
        nextSlave: Any = None,
        mergeRequests: Any = None,
        **kwargs: Any,
    ) -> None:
        given = {**dict(zip(inspect.signature(upstream.BuilderConfig).parameters, args)), **kwargs}
        where = f'builder {given.get("name")!r}'
        problems = []
        for old, new, value in (
            ('slavename', 'workername', slavename),
            ('slavenames', 'workernames', slavenames),
            ('slavebuilddir', 'workerbuilddir', slavebuilddir),
            ('category', 'tags', None if category is None else [category]),
            ('mergeRequests', 'collapseRequests', mergeRequests),
        ):
            if value is None:
                continue
            if given.get(new) is not None:
                problems.append(
                    f'it has both {old} and {new}, the old and the new name for the same thing'
                )
                continue
            old_word(old, new, where)
            kwargs[new] = value
        if callable(mergeRequests):
            problems.append(
                'it has a function as mergeRequests; today that is collapseRequests, a'
                ' function of the master, the builder, and the dictionaries of two build requests'
            )
        if nextSlave is not None:
            problems.append(
                'it has nextSlave; today that is nextWorker, a function of the builder, its'
                ' idle workers and the build request'
            )
        for problem in problems:
            error(f'{where}: {problem}{at(line_that_runs())}')
        super().__init__(*args, **kwargs)
