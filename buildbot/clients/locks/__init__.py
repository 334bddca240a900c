# SPDX-License-Identifier: GPL-2.0-only
"""New: what ``buildbot locks`` does. It asks a master over HTTP, and decides nothing itself.

``api`` asks the master and gets its answers; ``stream`` reads the events that it sends. ``address``
and ``meant`` find what a user asks about, and ``until`` when something is to end. ``texts`` has the
words for the answers; ``table`` and ``look`` fit them into the width of a terminal. ``answers`` has
the sub commands that ask, ``acts`` those that change something. ``asked`` is one call; ``command``
runs it, and reads the answer to a question.
"""
