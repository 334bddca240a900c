# SPDX-License-Identifier: GPL-2.0-only
"""Buildbot with locks that know branches, step groups, and workers that never only wait.

The release is all that does not stand here; ``seams.txt`` lists what it is changed in.
"""

from buildbot_overlay import extend

extend(__name__)
