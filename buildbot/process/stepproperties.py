# SPDX-License-Identifier: GPL-2.0-only
"""New: the properties of a build as one of its steps sees them, with what is held around it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Sequence

from twisted.internet import defer

from buildbot.process.properties import Properties

if TYPE_CHECKING:
    from buildbot.locking.owner import LockOwner
    from buildbot.locking.resource import Resource

#: begins the name of the property that has the names of the resources held of a pool
POOL = 'pool_'
#: where such a property comes from, as the build's page tells it
SOURCE = 'lock'


class StepProperties(Properties):
    """What a build's properties are, and for each pool the names of what the step has got of it.

    To set one sets that of the build. It is a look that is made when it is needed: what is held
    meanwhile, or no more, is seen by the next question.

    :param properties: of the build.
    :param step: the owner of locks that looks.
    :ivar asked: whether it was asked for what is held of any pool.
    """

    def __init__(self, properties: Properties, step: LockOwner) -> None:
        # the build's own dictionaries, of which this makes no copies
        vars(self).update(vars(properties))
        self.step = step
        self.asked = False

    def resources(self, pool: str) -> Sequence[Resource]:
        """Return the resources that the step, or what is around it, has got of a pool."""
        self.asked = True
        return self.step.resources(pool)

    def render_early(self, value: Any) -> defer.Deferred[Any]:
        """Render a value when the step may not have yet what it will have.

        :returns: Deferred of it; if it asks what is held and cannot be rendered, of the value
            itself.
        """
        d = self.render(value)
        d.addErrback(lambda why: value if self.asked else why)
        return d

    def _names(self, name: object) -> list[str] | None:
        if not isinstance(name, str) or not name.startswith(POOL):
            return None
        return [resource.name for resource in self.resources(name[len(POOL) :])] or None

    def __contains__(self, name: object) -> bool:
        return self._names(name) is not None or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        names = self._names(name)
        return super().__getitem__(name) if names is None else names

    def getProperty(self, name: str, default: Any = None) -> Any:
        names = self._names(name)
        return super().getProperty(name, default) if names is None else names

    def hasProperty(self, name: str) -> bool:
        return name in self

    has_key = hasProperty

    def getPropertySource(self, name: str) -> str:
        return super().getPropertySource(name) if self._names(name) is None else SOURCE
