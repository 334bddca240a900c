# SPDX-License-Identifier: GPL-2.0-only
"""New: why something waits, for people and for programs. Nothing here decides anything.

``words`` has the words: names, ages and the sentence of a wait. ``waits`` says what the claim of a
request, step or build waits for, ``workers`` why a worker takes no build of a builder, and
``reasons`` all reasons why a pending request does not start, or a step or build does not go on. All
this is computed on demand, from the scheduler's own data. ``waitrows`` keeps the rows of waiting
steps and builds up to date.

A wait or holding that has ended is a ``use``. ``history`` keeps the uses, ``holds`` knows how long
they last, and ``estimate`` and ``forecast`` rely on that. ``timeline`` and ``costs`` add uses up.
"""
