# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with locks: hold one, let one go first, end a build, take a copy out of use.

``hand`` is what they ask for, ``wishes`` what can be wrong with that. ``hold`` and ``quarantine``
are owners of claims, as builds are, so the rule knows nothing of people. ``version`` tells whether
a copy has changed since somebody looked, ``moves`` is the order by hand, ``failures`` takes copies
out of use by what becomes of builds. ``copyname`` finds copies that nobody uses.
"""
