# SPDX-License-Identifier: GPL-2.0-only
"""Turns the fork's files into patches to Buildbot itself."""
