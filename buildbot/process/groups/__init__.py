# SPDX-License-Identifier: GPL-2.0-only
"""New: step groups, steps that are made of steps.

``step`` has what a configuration says of one, and what its row tells; ``run`` is one run of its
steps; ``agenda`` is which of them starts next, and ``tally`` what their results come to, both plain
data. Nothing here knows a build's class, and no step needs to know what is here: ``buildstep`` says
what it asks of the group around it.
"""
