# SPDX-License-Identifier: GPL-2.0-only
"""New: who may hold a lock, and whose turn is next.

After every call these statements are true:

1. *Capacity.* The holdings of a lock together never take more units than the lock had when they
   were taken. An exclusive holding is the only one, apart from holdings nested in it.
2. *Tree.* A holding is itself a pool of units for owners nested in its holder: an exclusive holding
   gives the lock's whole capacity; a counting one gives its own units, and further free units of
   the lock. Nested holdings are counted once, never wait for owners outside, and exclude their
   siblings in the pool by the same rules.
3. *All or nothing.* A claim for several locks holds all of them or none.
4. *Order.* By priority, then by arrival. A claim for one lock is never overtaken at that lock, and
   no claim is overtaken by one for the same locks. A claim for several locks lets claims for other
   locks use those of its locks that are free, ``PATIENCE`` times for itself and for each such claim
   ahead of it; after that, its locks drain for it.
5. *No lost wake-up.* The first claim in line that nothing forces to wait does not wait if it could
   be granted.
6. *No trace.* An owner that has ended holds nothing and waits for nothing.
7. *No circle.* If owners would wait for one another forever, the last one to wait is refused
   (``find_deadlock``).

Entering, being granted, releasing and cancelling cost O(log n) for n claims that wait for the same
set of locks, times the number of different sets that are waited for at one lock. That number is
bounded by the different lists of locks in a configuration, not by the number of waiters. Asking
costs O(1). Looking for a circle costs O(n), and is needed only for an owner that holds what others
wait for.

``pool`` has the units and the tree; ``queue`` has the claims that wait; ``order`` knows which of
them is first; ``claim`` is the demand of one owner on its way; ``deadlock`` finds owners that wait
for one another. A granted claim holds its units before anybody else can ask, as in ``trio``'s
parking lot.

``owner`` says who can hold. ``copy`` has Buildbot's interface to one copy of a lock, with
Deferreds; ``copies`` has the copies that exist. ``named`` is a lock whose units have names. Nothing
here knows about builds or configurations.
"""
