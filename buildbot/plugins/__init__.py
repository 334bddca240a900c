# SPDX-License-Identifier: GPL-2.0-only
"""``buildslave`` is another name for ``worker``, as in Buildbot 0.8."""

from buildbot_overlay import extend

extend(__name__)

from buildbot.interfaces import IWorker  # noqa: E402
from buildbot.plugins.db import get_plugins  # noqa: E402

buildslave = get_plugins('buildslave', IWorker)
__all__ = [*upstream.__all__, 'buildslave']  # noqa: F821 - extend makes it
