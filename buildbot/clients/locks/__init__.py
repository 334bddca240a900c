# SPDX-License-Identifier: GPL-2.0-only
"""New: what ``buildbot locks`` does. It asks a master over HTTP, and decides nothing.

``api`` asks and hears the master, ``stream`` reads the events that it sends, ``address`` and
``meant`` are what a user asks about, and ``until`` when something is to end. ``texts`` has the
words for the answers, ``table`` and ``look`` bring them into the width of a terminal. ``answers``
is the sub commands that ask, ``acts`` those that do something, after a ``question``. ``asked`` is
one call, and ``command`` its run.
"""
