# SPDX-License-Identifier: GPL-2.0-only
"""New: build requests that wait for locks and for a worker, before they have a build.

``pending`` has the requests of a builder without a build, ``inbox`` keeps them up to date.
``reservation`` is one request's claim of its locks, ``reservationbook`` has those of one builder,
and ``reservations`` decides which request claims, holds and gives back. ``workerchoice`` says on
which idle worker a build is best started; ``waitlimits``, which request has waited too long;
``refusals`` and ``firstrelease``, when something is tried again.

Nothing here knows a builder: what is needed of one comes as callables.
"""
