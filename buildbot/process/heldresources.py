# SPDX-License-Identifier: GPL-2.0-only
"""New: the resources held of a pool, as ``%(lock:POOL:NUMBER:PROPERTY)s`` in ``Interpolate``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Sequence

from zope.interface import implementer

from buildbot import config
from buildbot import util
from buildbot.interfaces import IRenderable
from buildbot.locking.copy import LockError

if TYPE_CHECKING:
    from buildbot.locking.copy import LockClaim
    from buildbot.locking.resource import Resource

SUBSTITUTION = re.compile(
    r'(?P<pool>[\w./ -]+)(:(?P<number>[0-9]+)(:(?P<property>[\w.][\w.-]*))?)?'
    r'(:(?P<default>[-~+#?].*))?',
    re.DOTALL,
)


def read_substitution(text: str) -> tuple[Any, Any, str | None]:
    """Read what follows ``lock:`` in ``Interpolate``.

    :param text: the text after ``lock:``.
    :returns: the object to look in, the key to look up, and the default.
    :raises ConfigErrors: the text has no meaning.
    """
    match = SUBSTITUTION.fullmatch(text)
    if match is None:
        config.error(
            f"lock Interpolation '{text}' must be POOL, POOL:NUMBER or POOL:NUMBER:PROPERTY, where"
            ' NUMBER counts from 0'
        )
        return {}, None, None
    number, default = match['number'], match['default']
    part = (None if number is None else int(number), match['property'])
    return HeldResources(match['pool'], default is None), part, default


def resources_seen(props: Any, pool: str) -> Sequence[Resource]:
    """Return the resources of a pool that are held where these properties are used to render."""
    seen = props if hasattr(props, 'resources') else props.getBuild()
    return seen.resources(pool) if hasattr(seen, 'resources') else ()


def resources_in_words(claim: LockClaim) -> str:
    """Say which resources of pools a held claim has, if any: ``board-1, board-4 of boards``."""
    held = [
        f'{", ".join(resource.name for resource in holding.resources)} of {copy}'
        for (copy, _), holding in zip(claim.accesses, claim.holdings)
        if getattr(holding, 'resources', None)
    ]
    return ', '.join(held)


@implementer(IRenderable)
class HeldResources(util.ComparableMixin):
    """A renderable of the resources held of a pool, looked up by number and property name.

    :param pool: the name of the pool.
    :param is_needed: whether a missing resource or property is an error.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('pool', 'is_needed')

    def __init__(self, pool: str, is_needed: bool) -> None:
        self.pool = pool
        self.is_needed = is_needed

    def getRenderingFor(self, props: Any) -> Any:
        return _Parts(self, resources_seen(props, self.pool))


class _Parts:
    """The parts of the held resources. It is made for one lookup.

    A part is a pair: the number of a resource, or None for all resources; and the name of a
    property, or None for the resource's name.
    """

    def __init__(self, held: HeldResources, resources: Sequence[Resource]) -> None:
        self.held = held
        self.resources = resources

    def __contains__(self, part: tuple[int | None, str | None]) -> bool:
        why = self._why_not(*part)
        if why is not None and self.held.is_needed:
            raise LockError(f'pool {self.held.pool!r}: {why}')
        return why is None

    def _why_not(self, number: int | None, name: str | None) -> str | None:
        count = len(self.resources)
        if not count:
            return 'none of it is held here'
        if number is None:
            return None
        if number >= count:
            return f'there is no resource {number} where {count} of it are held, counted from 0'
        resource = self.resources[number]
        if name is not None and name not in resource.properties:
            return f'resource {resource.name!r} has no property {name!r}'
        return None

    def __getitem__(self, part: tuple[int | None, str | None]) -> Any:
        number, name = part
        if number is None:
            return ','.join(resource.name for resource in self.resources)
        resource = self.resources[number]
        return resource.name if name is None else resource.properties[name]
