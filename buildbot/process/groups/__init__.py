# SPDX-License-Identifier: GPL-2.0-only
"""New: step groups, which are steps made of steps.

``step`` has the group as it is configured, and its row. ``run`` has one run of its steps. Two
modules are plain data: ``agenda`` says which step starts next, and ``tally`` what the group's
result is. Nothing here knows the class of a build. All that a step knows about its group is
``Group`` in ``buildstep``.
"""
