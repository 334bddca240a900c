# SPDX-License-Identifier: GPL-2.0-only
"""What a slave had or needs and what no longer exists, each in one sentence."""

from __future__ import annotations

from typing import Any
from typing import NoReturn

NEEDED = {'buildbot_worker': 'buildbot-worker>=4.3,<4.4', 'fissix': 'fissix'}


class Missing:
    """An import finder that finds no module, but says why a module does not exist."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in NEEDED:
            raise ImportError(f"buildslave needs {name}: pip install '{NEEDED[name]}'", name=name)
        if name.startswith('buildslave.'):
            no_longer_there(name)


def no_longer_there(name: str) -> NoReturn:
    """Raise an ImportError for a name that buildbot-slave 0.8 may have had."""
    raise ImportError(
        f'{name} is not there: of buildbot-slave 0.8 there are the command buildslave and'
        ' buildslave.bot.BuildSlave; look for all else in buildbot_worker',
        name=name,
    )


def ignored(usepty: Any = 0, maxdelay: Any = 300) -> list[str]:
    """Return a sentence for each setting of a slave that no longer has a meaning.

    :param usepty: whether commands ran in a pseudo-terminal when the master did not say.
    :param maxdelay: most seconds between two attempts to connect; 300 is what 0.8 wrote itself.
    """
    sentences = []
    if usepty:
        sentences.append(
            'usepty is ignored: the master decides it, with usePTY=True of the step that needs it'
        )
    if maxdelay not in (300, None):
        sentences.append(
            f'maxdelay={maxdelay} is ignored: there is at most a minute between two attempts to'
            ' connect'
        )
    return sentences
