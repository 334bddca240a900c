# SPDX-License-Identifier: GPL-2.0-only
"""The worker side under the name it had up to Buildbot 0.8, over ``buildbot-worker``.

There are the command ``buildslave`` and ``buildslave.bot.BuildSlave``, so a directory that
buildbot-slave 0.8 made goes on where it is. What else that package had is not here.
"""

import sys

from buildbot_overlay import __version__ as version  # noqa: F401 - people find it here
from buildslave.gone import Missing

# Last in line: it is asked for what nobody else knows.
sys.meta_path.append(Missing())
