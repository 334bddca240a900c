# SPDX-License-Identifier: GPL-2.0-only
"""New: step groups, steps that are made of steps.

``step`` is the group as it is configured, and its row; ``run`` is one run of its steps; ``agenda``
says which of them starts next, and ``tally`` what the group's result is, both plain data. Nothing
here knows a build's class. All that a step knows of its group is ``Group`` in ``buildstep``.
"""
