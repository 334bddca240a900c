# SPDX-License-Identifier: GPL-2.0-only
"""The command ``buildslave``."""

from __future__ import annotations

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Do what the command line says, and exit with 0 if that succeeded."""
    try:
        from twisted.python.reflect import namedAny
        from twisted.python.usage import UsageError

        from buildslave.scripts.options import Options
        from buildslave.tac import BadDirectory
    except ImportError as e:
        sys.exit(f'buildslave: {e}')
    options = Options()
    try:
        options.parseOptions()
        command = namedAny(options.subOptions.subcommandFunction)
        sys.exit(command(options.subOptions))
    except UsageError as e:
        sys.exit(f'buildslave: {e}\n\n{getattr(options, "subOptions", options)}')
    except (BadDirectory, ImportError, OSError) as e:
        sys.exit(f'buildslave: {e}')
