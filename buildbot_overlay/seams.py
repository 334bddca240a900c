# SPDX-License-Identifier: GPL-2.0-only
"""The names of the release that the overlay depends on, and fingerprints of their source.

``seams.txt`` beside the overlay's outermost ``__init__`` lists them::

    overlays buildbot.process.builder <fingerprint of the file>
        Builder.maybeStartBuild <fingerprint>

An unindented line names a module and what the tree does with it: it *overlays* one of the
release's, *calls* one that it leaves unchanged, or *adds* one. An indented line names a class,
function, method or variable of the release in that module. The fingerprint of the file only saves
time: a file that is the same as the overlay's authors had needs no further look.

A fingerprint covers what the source *does*: comments, docstrings, formatting and annotations of
functions do not count, and every version of Python computes the same one.
"""

from __future__ import annotations

import ast
import hashlib
import os
from typing import Iterator
from typing import NamedTuple
from typing import Sequence

KINDS = ('overlays', 'calls', 'adds')
END = '# end'
LENGTH = 16  # hexadecimal digits of SHA-256; a release changes by chance, not malice


class Seam(NamedTuple):
    """One name that the overlay depends on. It does not say what the release has now.

    :param kind: ``overlays``, ``calls`` or ``adds``.
    :param module: dotted name of a module.
    :param name: qualified name in it; empty for the file itself.
    :param fingerprint: of the release's source that the overlay was written for; empty if not
        known.
    """

    kind: str
    module: str
    name: str
    fingerprint: str

    def __str__(self) -> str:
        return f'{self.module}.{self.name}' if self.name else self.module


def read(path: str) -> list[Seam]:
    """Read ``seams.txt``.

    :raises ValueError: a line, which the text names, is not well-formed; or the end is missing.
    """
    seams = []
    kind = module = line = ''
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            words = line.partition('#')[0].split()
            if not words:
                continue
            indented = line[0].isspace()
            if not indented and len(words) > 1 and words[0] in KINDS:
                kind, module = words[:2]
                seams.append(Seam(kind, module, '', ''.join(words[2:])))
            elif indented and module:
                seams.append(Seam(kind, module, words[0], ''.join(words[1:])))
            else:
                raise ValueError(f'{path}: cannot read {line.strip()!r}')
    if line.strip() != END:
        raise ValueError(f'{path}: the end is missing')
    return seams


def rewrite(path: str, release: str) -> None:
    """Write the fingerprints of a release into ``seams.txt``; comments and order stay.

    A seam that the release does not have is written with the word ``missing``.

    :param path: of ``seams.txt``.
    :param release: directory of the release's outermost package.
    """
    known = iter(read(path))
    lines = []
    found: dict[str, str] = {}
    with open(path, encoding='utf-8') as f:
        for line in f.read().splitlines():
            if not line.partition('#')[0].strip():
                lines.append(line)
                continue
            seam = next(known)
            if seam.name:
                lines.append(f'    {seam.name} {found.get(seam.name, "missing")}')
                continue
            source = None if seam.kind == 'adds' else source_of(seam.module, release)
            found = fingerprints(source) if source is not None else {}
            mark = f' {file_fingerprint(source)}' if source is not None else ' missing'
            if seam.kind == 'adds':
                mark = ''
            lines.append(f'{seam.kind} {seam.module}{mark}')
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')


def compare(seams: list[Seam], release: str) -> Iterator[tuple[Seam, str]]:
    """Yield each seam with what became of it: ``same``, ``changed`` or ``gone``.

    :param seams: as ``read`` returns them.
    :param release: directory of the release's outermost package.
    """
    same_file = False
    found: dict[str, str] = {}
    for seam in seams:
        if seam.kind == 'adds':
            continue
        if not seam.name:
            source = source_of(seam.module, release)
            same_file = source is not None and file_fingerprint(source) == seam.fingerprint
            if not same_file:
                found = fingerprints(source) if source is not None else {}
            if source is None:
                yield seam, 'gone'
        elif same_file:
            yield seam, 'same'
        elif seam.name not in found:
            yield seam, 'gone'
        else:
            yield seam, 'same' if found[seam.name] == seam.fingerprint else 'changed'


def source_of(module: str, release: str) -> bytes | None:
    base = os.path.join(os.path.dirname(release), *module.split('.'))
    for path in (base + '.py', os.path.join(base, '__init__.py')):
        try:
            with open(path, 'rb') as f:
                return f.read()
        except OSError:
            continue
    return None


def file_fingerprint(source: bytes) -> str:
    return hashlib.sha256(source.replace(b'\r\n', b'\n')).hexdigest()[:LENGTH]


def fingerprints(source: bytes) -> dict[str, str]:
    """Fingerprint every class, function, method and variable that a module binds.

    If a name is bound twice (in two branches of an ``if``, say), both count.

    :param source: of the module.
    :returns: fingerprint by qualified name.
    """
    found: dict[str, list[ast.AST]] = {}

    def walk(body: Sequence[ast.AST], prefix: str) -> None:
        for node in body:
            for name in bound_names(node):
                found.setdefault(prefix + name, []).append(node)
            if isinstance(node, ast.ClassDef):
                walk(node.body, f'{prefix}{node.name}.')
            elif isinstance(node, (ast.If, ast.Try, ast.ExceptHandler, ast.With)):
                walk(list(ast.iter_child_nodes(node)), prefix)

    try:
        walk(ast.parse(source).body, '')
    except SyntaxError:
        return {}  # so nothing in it is the same
    return {
        name: hashlib.sha256(repr([meaning(n) for n in nodes]).encode()).hexdigest()[:LENGTH]
        for name, nodes in found.items()
    }


def bound_names(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    targets = [t for outer in targets for t in getattr(outer, 'elts', [outer])]  # a, b = ...
    return [target.id for target in targets if isinstance(target, ast.Name)]


def meaning(node: object) -> object:
    """Reduce a syntax tree to what counts, in the same form for every version of Python."""
    if isinstance(node, list):
        return [meaning(child) for child in node]
    if not isinstance(node, ast.AST):
        return node
    left_out = {'ctx', 'kind', 'type_comment', 'returns', 'annotation', 'type_params'}
    if isinstance(node, ast.AnnAssign):
        left_out.remove('annotation')  # a variable's annotation can matter: dataclasses
    fields = []
    for field, value in ast.iter_fields(node):
        if field == 'body' and isinstance(value, list) and ast_docstring(node):
            value = value[1:]
        if field not in left_out and value not in (None, []):
            fields.append((field, meaning(value)))
    return [type(node).__name__, *fields]


def ast_docstring(node: ast.AST) -> bool:
    has_one = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, has_one) and ast.get_docstring(node, clean=False) is not None
