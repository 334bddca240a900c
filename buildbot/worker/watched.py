# SPDX-License-Identifier: GPL-2.0-only
"""New: an attribute that calls a method of its owner when it is set."""

from __future__ import annotations

from typing import Any


class Watched:
    """An attribute that calls ``doubt()`` of its owner each time it is set or deleted.

    It is None until it is set. It does not notice changes inside its value.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else vars(instance).get(self._name)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value
        instance.doubt()

    def __delete__(self, instance: Any) -> None:
        vars(instance).pop(self._name, None)
        instance.doubt()
