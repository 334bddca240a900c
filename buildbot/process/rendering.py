# SPDX-License-Identifier: GPL-2.0-only
"""New: renderables that return a generator are detected; Buildbot renders them to None."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure
from zope.interface import implementer

from buildbot.interfaces import IRenderable
from buildbot.process.properties import _Renderer


class Generator:
    """Stands for the generator that a renderable has returned. It is not a list."""

    def __repr__(self) -> str:
        return 'a generator'


def render(props: Any, value: Any) -> defer.Deferred[Any]:
    """Render a value as ``props.render`` does.

    Buildbot runs a generator as if it were a coroutine: what it yields is lost, and the result is
    None. Here the result is a ``Generator``, which is not a list.

    :param props: properties, or an object with properties.
    :returns: Deferred of the result. If a part of a list cannot be rendered, it fails with the
        error of that part.
    """
    return props.render(_guarded(value)).addErrback(first_cause)


def first_cause(why: Failure) -> Failure:
    """Return the error inside ``FirstError``, the failure of Deferreds waited for together."""
    while why.check(defer.FirstError):
        why = why.value.subFailure
    return why


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
    """Wraps a renderable and returns a ``Generator`` where that returns a generator."""

    def __init__(self, renderable: Any) -> None:
        self.renderable = renderable

    def getRenderingFor(self, props: Any) -> defer.Deferred[Any]:
        return _given(self.renderable.getRenderingFor(props))


@defer.inlineCallbacks
def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = yield _given(function(*args, **kwargs))
    return _guarded(result)  # it may be a renderable again


@defer.inlineCallbacks
def _given(thing: Any) -> Any:
    result = yield thing
    return Generator() if result is None and inspect.isgenerator(thing) else result
