# SPDX-License-Identifier: GPL-2.0-only
"""The worker side under its name up to Buildbot 0.8, based on ``buildbot-worker``.

It has the command ``buildslave`` and ``buildslave.bot.BuildSlave``, so a directory that
buildbot-slave 0.8 made can be used where it is. Nothing else of that package is here.
"""

import sys

from buildbot_overlay import __version__ as version  # noqa: F401 - people find it here
from buildslave.gone import Missing

# Last in line: it is asked for modules that nothing else finds.
sys.meta_path.append(Missing())
