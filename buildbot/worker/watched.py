# SPDX-License-Identifier: GPL-2.0-only
"""New: an attribute that tells its owner when it is set, by whomever."""

from __future__ import annotations

from typing import Any


class Watched:
    """An attribute on which something depends that its owner keeps.

    Whoever sets or deletes it, ``doubt`` of the owner is called afterwards, without arguments. It
    is None until it is set. What is changed inside of its value is not seen.
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
