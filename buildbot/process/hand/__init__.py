# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with locks: hold one, let one go first, end a build, take a copy out of use.

``hand`` does what people ask for, one thing at a time; ``wishes`` checks what they ask for.
``hold`` and ``quarantine`` are owners of claims, as builds are, so the locks need not know people.
``holds`` has all holds, and ``ends`` watches their ends. ``quarantines`` has the copies out of use,
and ``failures`` finds copies to take out of use by the results of builds. ``precedence`` changes
who goes first. ``version`` tells whether a copy has changed since somebody looked, ``journal``
keeps what was done, and ``copyname`` finds copies that nobody uses.
"""
