# SPDX-License-Identifier: GPL-2.0-only
"""New: who may hold a lock, and who is next.

What always holds, after every call:

1. *Capacity.* What the holdings of a lock take together is never more than its units when they
   were taken, and an exclusive holding is the only one, apart from what is nested in it.
2. *Tree.* A holding is itself a pool of units for what is nested in its holder: an exclusive one
   gives the lock's whole capacity, a counting one its own units, and more of the lock's if there
   are any. What is nested in a holder is counted once, never waits for those outside, and excludes
   its siblings in the pool by the same rules.
3. *All or nothing.* A claim for several locks holds all of them or none.
4. *Order.* By priority, then arrival. Who waits for one lock is never overtaken at it, nor is
   anybody by who waits for the same locks. Who waits for several lets those who wait for others
   use those of them that are free, ``PATIENCE`` times for itself and for each such claim ahead of
   it; then these locks drain for it.
5. *No lost wake-up.* The first in line, of those that nobody makes wait, does not wait if its claim
   could be granted.
6. *No trace.* Who has ended holds nothing and waits for nothing.
7. *No circle.* Of owners that would wait for one another for ever, the last to wait is refused
   (``find_deadlock``).

To enter, to be granted, to release and to cancel cost O(log n) for n claims that wait for the same
set of locks, times the number of different sets that wait for one lock (there are as many as there
are different lists of locks in a configuration, not as many as waiters). To ask costs O(1). To look
for a circle costs O(n), and is needed only for who holds what others wait for.

``pool`` has the units and the tree, ``queue`` who waits, ``order`` who of them is first, ``claim``
the demand of one owner on its way, ``deadlock`` the circles of those who wait for one another.
A claim that is granted holds before anybody else can ask, as in ``trio``'s parking lot.

Of a resource pool the units have names (``resource``, ``named``). Those who want the same of it
are in one lane, in order. What the first of a lane waits for is kept from all behind it, whatever
these want, and the rest is for whoever wants it (``turns``). Whether some units are enough is found
by a matching, so what can be met is (``matching``, ``kinds``, ``labels``); which are taken depends
on who else could use them, and on wear (``picking``). To give back costs in proportion to the
lanes, not to those who wait in them.

``owner`` says who can hold; ``copy`` has Buildbot's interface to one copy of a lock, with
Deferreds, ``copies`` the copies that there are, and ``poolcopy`` that of a pool. Nothing here knows
a build, or what a configuration says.
"""
