# SPDX-License-Identifier: GPL-2.0-only
"""New: the words of Buildbot 0.8 that a configuration may still use; each is reported once."""

from __future__ import annotations

import re
import warnings
from contextlib import ExitStack
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from typing import Iterator

from buildbot.config.errors import error
from buildbot.warnings import DeprecatedApiWarning

_met: ContextVar[dict[str, tuple[str, list[str]]] | None] = ContextVar('old words', default=None)


def old_word(word: str, today: str, where: str | None = None) -> None:
    """Note that a configuration uses a word of Buildbot 0.8, to be reported once it has been read.

    Words that are met at another time, as in a user's own tests, are not reported.

    :param word: the old word.
    :param today: what is written today.
    :param where: where it is used, such as ``builder 'lab'``, unless there is only one place for
        it.
    """
    met = _met.get()
    if met is None:
        return
    mentions = met.setdefault(word, (today, []))[1]
    if where is not None and where not in mentions:
        mentions.append(where)


@contextmanager
def warned_once(filename: str) -> Iterator[None]:
    """Collect the old words that are met inside, and warn of each of them once.

    :param filename: of the configuration that is read inside.
    """
    if _met.get() is not None:
        yield  # the outer call warns
        return
    words: dict[str, tuple[str, list[str]]] = {}
    with ExitStack() as at_the_end:
        at_the_end.callback(_warn_of_all, filename, words)
        at_the_end.callback(_met.reset, _met.set(words))
        yield


def _warn_of_all(filename: str, words: dict[str, tuple[str, list[str]]]) -> None:
    for word, (today, mentions) in words.items():
        shown = [', '.join(mentions[:3])] if mentions else []
        if len(mentions) > 3:
            shown.append(f'and {len(mentions) - 3} more')
        where = f' ({" ".join(shown)})' if shown else ''
        text = f'[0.9.0 and later] {word} is {today} today{where}'
        # without a registry, so that each reconfig warns again
        warnings.warn_explicit(text, DeprecatedApiWarning, filename, _first_line(filename, word))


def _first_line(filename: str, word: str) -> int:
    # 0 if the word is not in the file itself, but in a module that it imports
    name = re.compile(rf'\b{re.findall("[a-zA-Z]+", word)[-1]}\b')
    try:
        with open(filename, encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                if name.search(line.partition('#')[0]):
                    return number
    except (OSError, UnicodeDecodeError):
        pass  # the configuration is not a file
    return 0


def with_todays_keys(config_dict: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's dictionary without the keys of Buildbot 0.8.

    :param config_dict: ``BuildmasterConfig``; it is not changed.
    """
    translated = dict(config_dict)
    for old, new, example, value_of in (
        ('slaves', 'workers', '', lambda slaves: slaves),
        ('slavePortnum', 'protocols', " = {'pb': {'port': ...}}", lambda p: {'pb': {'port': p}}),
    ):
        if old not in config_dict:
            continue
        value = translated.pop(old)
        if new in config_dict:
            both = f"c['{old}'] and c['{new}'] are the old and the new name for the same thing"
            error(f'{both}; keep one')
            continue
        if old == 'slavePortnum' and not isinstance(value, (int, str, type(None))):
            error(f"c['slavePortnum'] must be a port or an endpoint's description, not {value!r}")
            value = 0  # without a value, another error would say that it is missing
        old_word(f"c['{old}']", f"c['{new}']{example}")
        translated[new] = value_of(value)
    return translated
