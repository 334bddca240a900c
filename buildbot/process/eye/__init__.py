# SPDX-License-Identifier: GPL-2.0-only
"""New: why something waits, for people and for programs. Nothing here decides anything.

``words`` has the words: names, ages and the sentence of a wait. ``waits`` is on what the claim of a
request, step or build waits, ``workers`` why a worker takes no build of a builder, and ``reasons``
all reasons why a pending request does not start, or a step or build does not go on. They are
computed when they are asked for, from what the scheduler itself goes by. ``waitrows`` keeps what
the rows of waiting steps and builds say true.

What has ended is a ``use``; ``history`` keeps these, ``holds`` knows how long they last, and
``estimate`` and ``forecast`` go by that. ``timeline`` and ``costs`` add them up.
"""
