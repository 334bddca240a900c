# SPDX-License-Identifier: GPL-2.0-only
"""The page of the locks, for Buildbot's web server: ``c['www']['plugins']['locks_view']``."""

from buildbot.www.plugin import Application

ep = Application(__package__, 'Locks: who holds them, who waits, and why')
