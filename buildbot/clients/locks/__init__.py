# SPDX-License-Identifier: GPL-2.0-only
"""New: what ``buildbot locks`` does. It asks a master over HTTP, and decides nothing.

``api`` asks and hears the master, ``stream`` reads the events that it sends, ``thing`` is what a
user asks about, ``texts`` has the words for the answers, ``table`` and ``look`` bring them into the
width of a terminal, ``answers`` is the sub commands, and ``command`` a run of one of them.
"""
