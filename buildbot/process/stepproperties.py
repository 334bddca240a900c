# SPDX-License-Identifier: GPL-2.0-only
"""New: the properties of a build as a step sees them, with the resources held around the step."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Sequence

from twisted.internet import defer

from buildbot.process.properties import Properties

if TYPE_CHECKING:
    from buildbot.locking.owner import LockOwner
    from buildbot.locking.resource import Resource

#: prefix of the property with the names of the resources held of a pool
POOL = 'pool_'
#: the source of such a property, shown on the build's page
SOURCE = 'lock'


class StepProperties(Properties):
    """A build's properties, and for each pool the names of the step's resources. It is not a copy.

    Setting a property sets it on the build. Resources are looked up on each access, so changes in
    what is held are seen by the next access.

    :param properties: the build's properties.
    :param step: the owner of the locks.
    :ivar asked: whether it was asked for the resources of any pool.
    """

    def __init__(self, properties: Properties, step: LockOwner) -> None:
        # shares the build's own dictionaries, without copies
        vars(self).update(vars(properties))
        self.step = step
        self.asked = False

    def resources(self, pool: str) -> Sequence[Resource]:
        """Return the resources of a pool that the step, or an owner around it, holds."""
        self.asked = True
        return self.step.resources(pool)

    def render_early(self, value: Any) -> defer.Deferred[Any]:
        """Render a value before the step may have its resources.

        :returns: Deferred of the rendered value; or of the value itself, if it asks for resources
            and cannot be rendered.
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
