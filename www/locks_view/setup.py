# SPDX-License-Identifier: GPL-2.0-only
"""The page as a package of its own, built with Buildbot's tools."""

from buildbot_pkg import setup_www_plugin

setup_www_plugin(
    name='buildbot-locks-view',
    description='Locks: who holds them, who waits, and why',
    packages=['buildbot_locks_view'],
    package_data={'': ['VERSION', 'static/*']},
    entry_points={'buildbot.www': ['locks_view = buildbot_locks_view:ep']},
    license='GPL-2.0-only',
)
