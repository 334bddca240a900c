# SPDX-License-Identifier: GPL-2.0-only
"""Buildbot with locks for branches, step groups, and workers that never only wait for locks.

What is not here is found in Buildbot; ``seams.txt`` lists the names of Buildbot that this changes.
"""

from buildbot_overlay import extend

extend(__name__)
