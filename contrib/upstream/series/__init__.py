# SPDX-License-Identifier: GPL-2.0-only
"""Makes of the fork's files what a patch to Buildbot itself would be."""
