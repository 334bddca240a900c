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

from buildslave.gone import ignored

# what 0.8 knew its directories by, and what buildbot-worker knows its own by
MARK = re.compile(r"""Application\(\s*(['"])(buildslave|buildbot-worker)\1""")


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
            self.text = source.decode(self._encoding)
        except OSError as e:
            raise BadDirectory(f'{basedir} is no directory of a slave: {self.path}: {e.strerror}')
        except (SyntaxError, UnicodeDecodeError) as e:
            raise BadDirectory(f'{self.path} cannot be read: {e}')
        if not MARK.search(self.text):
            raise BadDirectory(
                f"{basedir} is no directory of a slave: there is no Application('buildslave') in"
                f' {self.path}'
            )

    def why_not(self) -> str | None:
        """Return what keeps Python from running it, as ``line 3: invalid syntax``; or None."""
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
        # where 0.7 had it
        self.text = self.text.replace('from buildbot.slave.bot ', 'from buildslave.bot ')
        if self.why_not() is not None:
            self.text = from_python_2(self.text)
        why_not = self.why_not()
        if why_not is not None:
            raise BadDirectory(
                f'{self.path} is left as it is, since it is Python neither of today nor of then:'
                f' {why_not}; mend it by hand'
            )
        if self.text == before:
            return [], None
        copy = self._keep_copy()
        with open(self.path, 'w', encoding=self._encoding, newline='') as f:
            f.write(self.text)
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
        tree = ast.parse(self.text)
        settings = {}
        odd = []
        for node in ast.walk(tree):
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
        ]

    def _line(self, number: int) -> str:
        return self.text.splitlines()[number - 1]


def from_python_2(text: str) -> str:
    """Return Python 3 that does what this Python 2 does, or the text as it is if it is neither."""
    from fissix import refactor
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    fixers = refactor.get_fixers_from_package('fissix.fixes')
    end = '' if text.endswith('\n') else '\n'  # its grammar wants one
    try:
        return str(refactor.RefactoringTool(fixers).refactor_string(text + end, 'buildbot.tac'))
    except (ParseError, TokenError):
        return text
