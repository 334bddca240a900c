# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with locks: hold one, let one go first, end a build, take a copy out of use.

``hand`` is what they ask for, one thing at a time; ``wishes``, what can be wrong with that.
``hold`` and ``quarantine`` are owners of claims, as builds are, so the rule knows nothing of
people. ``holds`` has all holds and ``ends`` their ends, ``quarantines`` the copies out of use, and
``failures`` finds those by what becomes of builds; ``precedence`` is who goes first. ``version``
tells whether a copy has changed since somebody looked, ``journal`` keeps what was done, and
``copyname`` finds copies that nobody uses.
"""
