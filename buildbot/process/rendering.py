# SPDX-License-Identifier: GPL-2.0-only
"""New: renderables that give a generator are found out, where Buildbot gives None."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any
from typing import Callable

from twisted.internet import defer
from zope.interface import implementer

from buildbot.interfaces import IRenderable
from buildbot.process.properties import _Renderer


class Generator:
    """Stands for the generator that a renderable has given; it is no list."""

    def __repr__(self) -> str:
        return 'a generator'


def render(props: Any, value: Any) -> defer.Deferred[Any]:
    """Render a value as ``props.render`` does.

    Buildbot runs a generator as if it were a coroutine: what it yields is lost, and None is
    what remains. Here a ``Generator`` remains, which is no list.

    :param props: properties, or what has some.
    """
    return props.render(_guarded(value))


def _guarded(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        items = [_guarded(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, _Renderer):
        renderer = _Renderer(partial(_call, value.fn))
        renderer.args, renderer.kwargs = value.args, value.kwargs
        return renderer
    return _Guarded(value) if IRenderable.providedBy(value) else value


@implementer(IRenderable)
class _Guarded:
    """A renderable that gives a ``Generator`` where the one in it gives a generator."""

    def __init__(self, renderable: Any) -> None:
        self.renderable = renderable

    def getRenderingFor(self, props: Any) -> defer.Deferred[Any]:
        return _given(self.renderable.getRenderingFor(props))


@defer.inlineCallbacks
def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = yield _given(function(*args, **kwargs))
    return _guarded(result)  # it may be one more renderable


@defer.inlineCallbacks
def _given(thing: Any) -> Any:
    result = yield thing
    return Generator() if result is None and inspect.isgenerator(thing) else result
