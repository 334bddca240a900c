# SPDX-License-Identifier: GPL-2.0-only
"""The ``buildbot.tac`` of a slave, and what it needs to run with today's Python."""

from __future__ import annotations

import ast
import io
import itertools
import os
import re
import shutil
import tokenize
from difflib import unified_diff
from pathlib import Path
from typing import Iterable

from buildslave.gone import ignored

# how 0.8 recognised its directories, and how buildbot-worker recognises its own
MARK = re.compile(r"""Application\(\s*(['"])(buildslave|buildbot-worker)\1""")
# the encoding that a file declares in one of its first two lines
CODING = re.compile(r'\A((?:.*\n)?[ \t]*#.*?coding[:=][ \t]*)([-\w.]+)')
# what only Python 2 has and fails only at run time; a file with it looks like Python 3
FIXERS = ('execfile', 'has_key', 'imports', 'urllib')
# the same, but nobody can tell whether replacing it is right
NAMES = {
    'basestring': 'str',
    'execfile': 'exec(open(...).read())',
    'file': 'open',
    'long': 'int',
    'unicode': 'str',
    'xrange': 'range',
}


class BadDirectory(Exception):
    """The directory is not a slave's, or its slave cannot be started; the text says why."""


class Tac:
    """The file that says what a slave is. It is not the running slave.

    :param basedir: the slave's directory.
    :raises BadDirectory: the directory does not exist, or is not a slave's.
    """

    def __init__(self, basedir: str) -> None:
        self.path = Path(basedir, 'buildbot.tac')
        try:
            source = self.path.read_bytes()
            self._encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            self._encoding = self._encoding.replace('-sig', '')  # its mark is seen below
            self.text = source.decode(self._encoding)
            # twistd ignores the encoding that a file declares
            self._as_utf_8 = self.text.encode() == source
        except OSError as e:
            raise BadDirectory(
                f'{basedir} is not the directory of a slave: {self.path}: {e.strerror}'
            )
        except (SyntaxError, UnicodeDecodeError) as e:
            raise BadDirectory(f'{self.path} cannot be read: {e}')
        if not MARK.search(self.text):
            raise BadDirectory(
                f"{basedir} is not the directory of a slave: there is no Application('buildslave')"
                " in"
                f' {self.path}'
            )

    def why_not(self) -> str | None:
        """Return why it cannot be run, such as ``line 3: invalid syntax``; None if it can."""
        if not self._as_utf_8:
            return f'it is {self._encoding}, and not UTF-8'
        return self._not_python()

    def _not_python(self) -> str | None:
        try:
            compile(self.text, str(self.path), 'exec', dont_inherit=True)
        except SyntaxError as e:
            return f'line {e.lineno}: {e.msg}'
        except ValueError as e:  # a null character
            return str(e)
        return None

    def upgrade(self) -> tuple[list[str], Path | None]:
        """Mend what no longer runs.

        :returns: the changed lines, as a diff; and where the copy of the original file is: None if
            nothing had to be changed.
        :raises BadDirectory: it cannot be mended; the file is left as it was.
        """
        before = self.text
        self.text = self.text.removeprefix('\ufeff')  # from an editor; twistd does not know it
        # its place in 0.7
        self.text = re.sub(r'\bbuildbot\.slave\.bot\b', 'buildslave.bot', self.text)
        if self._not_python() is None:
            self.text = from_python_2(self.text, FIXERS)
        else:
            self.text = from_python_2(self.text)
        why_not = self._not_python()
        if why_not is not None:
            raise BadDirectory(
                f'{self.path} is left as it is, because it is neither Python 3 nor Python 2:'
                f' {why_not}; mend it by hand'
            )
        if not self._as_utf_8:
            self.text = CODING.sub(r'\1utf-8', self.text)
        if self.text == before:
            return [], None
        try:
            with open(self.path, 'r+b') as f:  # fails before a copy is made
                copy = self._keep_copy()
                f.write(self.text.encode())
                f.truncate()
        except OSError as e:
            raise BadDirectory(f'{e.filename or self.path} cannot be written: {e.strerror}')
        self._as_utf_8 = True
        difference = unified_diff(before.splitlines(), self.text.splitlines(), n=0, lineterm='')
        return list(difference)[2:], copy

    def _keep_copy(self) -> Path:
        # Never overwrites a copy: the first one is the file as 0.8 had it. Nobody else may read it
        # meanwhile, since it contains a password.
        for number in itertools.count(1):
            copy = self.path.with_name(f'buildbot.tac.old{number}')
            try:
                os.close(os.open(copy, os.O_CREAT | os.O_EXCL, 0o600))
                break
            except FileExistsError:
                continue
        shutil.copy2(self.path, copy)
        return copy

    def remarks(self) -> list[str]:
        """Return a sentence for each thing in it that runs, but not as it did."""
        settings = {}
        odd = []
        gone = []
        own = set()
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    own.add(node.id)
                elif node.id in NAMES:
                    gone.append(node)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                settings.update(dict.fromkeys(names, node.value.value))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.search('[\x80-\xff]', node.value) and '\\x' in self._line(node.lineno):
                    odd.append(node.lineno)
        return [
            *ignored(settings.get('usepty', 0), settings.get('maxdelay', 300)),
            *(
                f'line {line}: Python 2 took \\x80 and above for bytes, today they are letters;'
                ' write the letters that are meant'
                for line in odd
            ),
            *(
                f'line {node.lineno}: {node.id!r} is gone from Python; write {NAMES[node.id]}'
                for node in gone
                if node.id not in own
            ),
            *self._elsewhere(settings.get('basedir')),
        ]

    def _elsewhere(self, basedir: object) -> list[str]:
        # the file of a directory that was moved or copied
        here = self.path.parent
        if not isinstance(basedir, str) or here.joinpath(basedir).is_dir():
            return []
        return [f'basedir is {basedir}, and there is no such directory; this one is {here}']

    def _line(self, number: int) -> str:
        return self.text.splitlines()[number - 1]


def from_python_2(text: str, names: Iterable[str] | None = None) -> str:
    """Return Python 3 that does the same as this Python 2; the text unchanged if it is neither.

    :param text: the program.
    :param names: of the fixers of ``fissix`` that are used; None for all of them.
    """
    from fissix import refactor
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    if names is None:
        fixers = refactor.get_fixers_from_package('fissix.fixes')
    else:
        fixers = [f'fissix.fixes.fix_{name}' for name in names]
    end = '' if text.endswith('\n') else '\n'  # the grammar of fissix needs one
    try:
        mended = str(refactor.RefactoringTool(fixers).refactor_string(text + end, 'buildbot.tac'))
    except (ParseError, TokenError):
        return text
    return text if mended == text + end else mended
