# SPDX-License-Identifier: GPL-2.0-only
"""The ``buildbot.tac`` of a slave, and what it needs to run on today's Python."""

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

# what 0.8 knew its directories by, and what buildbot-worker knows its own by
MARK = re.compile(r"""Application\(\s*(['"])(buildslave|buildbot-worker)\1""")
# the encoding that a file names in one of its first two lines
CODING = re.compile(r'\A((?:.*\n)?[ \t]*#.*?coding[:=][ \t]*)([-\w.]+)')
# what only Python 2 has and is found at run time only; a file with it is Python 3 to look at
FIXERS = ('execfile', 'has_key', 'imports', 'urllib')
# the same, of which nobody can tell whether to mend it is right
NAMES = {
    'basestring': 'str',
    'execfile': 'exec(open(...).read())',
    'file': 'open',
    'long': 'int',
    'unicode': 'str',
    'xrange': 'range',
}


class BadDirectory(Exception):
    """A directory is none of a slave, or its slave cannot be started; the text says why."""


class Tac:
    """The file that says what a slave is.

    :param basedir: the slave's directory.
    :raises BadDirectory: there is none, or it is none of a slave.
    """

    def __init__(self, basedir: str) -> None:
        self.path = Path(basedir, 'buildbot.tac')
        try:
            source = self.path.read_bytes()
            self._encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            self._encoding = self._encoding.replace('-sig', '')  # its mark is seen below
            self.text = source.decode(self._encoding)
            # twistd does not look at the encoding that a file names
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
        """Return what keeps it from being run, as ``line 3: invalid syntax``; or None."""
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
        """Mend what does not run any more.

        :returns: the lines that are changed, as a difference; and where the copy of the file as it
            was is: None if nothing had to be changed.
        :raises BadDirectory: it is beyond mending; it is left as it was.
        """
        before = self.text
        self.text = self.text.removeprefix('\ufeff')  # of an editor; twistd does not know it
        # where 0.7 had it
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
            with open(self.path, 'r+b') as f:  # before there is a copy of what cannot be written
                copy = self._keep_copy()
                f.write(self.text.encode())
                f.truncate()
        except OSError as e:
            raise BadDirectory(f'{e.filename or self.path} cannot be written: {e.strerror}')
        self._as_utf_8 = True
        difference = unified_diff(before.splitlines(), self.text.splitlines(), n=0, lineterm='')
        return list(difference)[2:], copy

    def _keep_copy(self) -> Path:
        # Never over a copy that is there: the first one is the file as 0.8 had it. Nobody else may
        # read it meanwhile: it has a password in it.
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
    """Return Python 3 that does what this Python 2 does, or the text as it is if it is neither.

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
    end = '' if text.endswith('\n') else '\n'  # its grammar wants one
    try:
        mended = str(refactor.RefactoringTool(fixers).refactor_string(text + end, 'buildbot.tac'))
    except (ParseError, TokenError):
        return text
    return text if mended == text + end else mended
