# SPDX-License-Identifier: GPL-2.0-only
"""Lists in the checkout's ``setup.py``: packages, and what plugins and users find by name."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable
from typing import NamedTuple
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .names import Refusal


class EntryPoint(NamedTuple):
    """One name in a group of entry points such as ``buildbot.steps``. It is not what is found."""

    group: str
    module: str
    name: str


def entry_points(setup: Path) -> list[EntryPoint]:
    """Read the entry points from the ``setup.py`` of the fork."""
    module = cst.parse_module(setup.read_text(encoding='utf-8'))
    argument = m.Arg(keyword=m.Name('entry_points'), value=m.Dict())
    found = []
    for arg in m.findall(module, argument):
        assert isinstance(arg, cst.Arg) and isinstance(arg.value, cst.Dict)
        for element in arg.value.elements:
            assert isinstance(element, cst.DictElement)
            for string in m.findall(element.value, m.SimpleString()):
                place = text_of(string).partition('=')[2].strip()
                module_name, _, name = place.partition(':')
                found.append(EntryPoint(text_of(element.key), module_name, name))
    return found


def text_of(node: cst.CSTNode) -> str:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else ''


def extend_setup(source: str, packages: Sequence[str], points: Sequence[EntryPoint]) -> str:
    """Return upstream's ``setup.py`` with more in its lists.

    :param packages: names of new packages; not used if it lists none, since they are found then.
    :raises Refusal: it has no such lists.
    """
    extended = _Extended(packages, points)
    changed = cst.parse_module(source).visit(extended)
    assert isinstance(changed, cst.Module)
    if extended.left:
        raise Refusal(f'setup.py: there is no list for {", ".join(sorted(extended.left))}')
    return changed.code


class _Extended(cst.CSTTransformer):
    def __init__(self, packages: Sequence[str], points: Sequence[EntryPoint]) -> None:
        self.packages, self.points = packages, points
        self.left = {point.group for point in points}

    def leave_DictElement(
        self, original_node: cst.DictElement, updated_node: cst.DictElement
    ) -> cst.DictElement:
        if text_of(updated_node.key) != 'packages':
            return updated_node
        value = updated_node.value
        if isinstance(value, cst.BinaryOperation) and isinstance(value.left, cst.List):
            value = value.with_changes(left=with_strings(value.left, self.packages))
        elif isinstance(value, cst.List):
            value = with_strings(value, self.packages)
        else:
            return updated_node
        return updated_node.with_changes(value=value)

    def leave_Tuple(self, original_node: cst.Tuple, updated_node: cst.Tuple) -> cst.Tuple:
        values = [element.value for element in updated_node.elements]
        if len(values) != 2 or not isinstance(values[1], cst.List):
            return updated_node
        points = [point for point in self.points if point.group == text_of(values[0])]
        if not points:
            return updated_node
        self.left.discard(points[0].group)
        changed = values[1]
        for module in sorted({point.module for point in points}):
            names = [point.name for point in points if point.module == module]
            changed = _with_module(changed, module, names)
        first, second = updated_node.elements
        return updated_node.with_changes(elements=[first, second.with_changes(value=changed)])


def _with_module(modules: cst.List, module: str, names: Sequence[str]) -> cst.List:
    elements = list(modules.elements)
    for position, element in enumerate(elements):
        if _module_of(element) == module:
            assert isinstance(element.value, cst.Tuple)
            first, second = element.value.elements
            assert isinstance(second.value, cst.List)
            second = second.with_changes(value=with_strings(second.value, names))
            changed = element.value.with_changes(elements=[first, second])
            elements[position] = element.with_changes(value=changed)
            return modules.with_changes(elements=elements)
    new = cst.Element(cst.parse_expression(f'({module!r}, {list(names)!r})'))
    place = _place(module, [_module_of(e) for e in elements])
    return modules.with_changes(elements=_with_element(elements, place, new))


def _module_of(element: cst.BaseElement) -> str:
    if isinstance(element.value, cst.Tuple) and element.value.elements:
        return text_of(element.value.elements[0].value)
    return ''


def with_strings(listed: cst.List, texts: Iterable[str]) -> cst.List:
    """Return a list of strings with more of them, written like the others, in their order."""
    elements = list(listed.elements)
    for text in texts:
        like = next((e.value for e in elements if isinstance(e.value, cst.SimpleString)), None)
        quote = like.quote if like is not None else "'"
        new = cst.Element(cst.SimpleString(f'{quote}{text}{quote}'))
        elements = _with_element(elements, _place(text, [text_of(e.value) for e in elements]), new)
    return listed.with_changes(elements=elements)


def _place(text: str, texts: Sequence[str]) -> int:
    # after the last one that belongs before it, since the lists are only mostly sorted
    before = [i for i, other in enumerate(texts) if other and other.lower() < text.lower()]
    return max(before, default=-1) + 1 if before else 0


def _with_element(
    elements: Sequence[cst.BaseElement], place: int, new: cst.BaseElement
) -> list[cst.BaseElement]:
    # a comma has its line's end; the last one differs from those between
    if not elements:
        return [new]
    commas = [element.comma for element in elements]
    between: cst.Comma | cst.MaybeSentinel = commas[0]
    if len(elements) == 1:
        between = cst.Comma(whitespace_after=cst.SimpleWhitespace(' '))
    found = [*elements[:place], new, *elements[place:]]
    last = found[-1].with_changes(comma=commas[-1])
    others = [
        element.with_changes(comma=between) if element in (new, elements[-1]) else element
        for element in found[:-1]
    ]
    return [*others, last]
