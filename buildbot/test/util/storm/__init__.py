# SPDX-License-Identifier: GPL-2.0-only
"""New: random histories of a master in memory, which are data, so that they can be made shorter.

``history`` is a configuration and the events that happen to it; ``configuration`` and ``events``
draw one for a seed. ``lab`` makes a master of it, ``user`` is what is asked of the user meanwhile,
``sight`` what anybody can see, and ``invariants`` what must be so after each event, with what
``eye`` says. ``requests``, ``workers``, ``changes``, ``database``, ``masters`` and ``hands`` let
the events happen; ``storm`` lets a whole history happen, to its end. ``shrinking`` finds a shorter
one that fails in the same way.
"""
