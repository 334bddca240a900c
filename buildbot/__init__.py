# SPDX-License-Identifier: GPL-2.0-only
"""Buildbot with locks that know branches, step groups, and workers that never only wait.

What is not here is found in Buildbot; ``seams.txt`` lists the names of it that this changes.
"""

from buildbot_overlay import extend

extend(__name__)
