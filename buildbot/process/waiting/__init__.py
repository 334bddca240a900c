# SPDX-License-Identifier: GPL-2.0-only
"""New: build requests that wait for locks and for a worker, before they have a build.

``pending`` has the pending requests of a builder; ``inbox`` keeps them up to date. ``reservation``
is one request's claim of its locks; ``reservationbook`` has the reservations of one builder;
``reservations`` decides which request claims locks, holds them and gives them back.
``workerchoice`` says on which idle worker a build is best started, ``waitlimits`` which request has
waited too long, and ``refusals`` and ``firstrelease`` when something is tried again.

Nothing here knows a builder: these modules call the callables that the builder gives them.
"""
