# SPDX-License-Identifier: GPL-2.0-only
"""New: random configurations, as data: workers, and builders with their locks, steps and users."""

from __future__ import annotations

import random
from typing import Any

#: how many units there are, of locks of the master, of each worker, of each branch, and of a pool
LOCKS = {'m': 2, 'n': 1, 'w': 2, 'b': 1, 'p': 3}

#: what is in the pool: names, labels, and the only worker on which it can be used, if there is one
RESOURCES = (('p0', 'xy', None), ('p1', 'x', None), ('p2', 'y', 'w0'))

LOCAL = ('w0', 'w1', 'w2', 'w3')
LATENT = 'z0'

#: what a user's method may say; the first is what it says at the beginning
ANSWERS = {
    'canStartBuild': ('yes', 'no', 'late', 'error', 'by worker', 'by request'),
    'nextWorker': ('pool', 'none', 'late', 'error'),
    'nextBuild': ('last', 'none', 'late', 'error'),
    'locks': ('yes', 'late', 'error'),
    'step locks': ('yes', 'late', 'error'),
    'prioritizeBuilders': ('yes', 'late', 'error', 'reversed', 'not the first'),
}


def draw_configuration(rng: random.Random) -> dict[str, Any]:
    """Return a random configuration.

    ``workers`` have ``most`` builds at once, may have a lock of their ``own``, and may be
    ``latent``. Of builders, ``t`` triggers others and waits for them, ``u`` triggers ``t``; those
    of their user's methods that are set are in ``asks``. A step is ``('step', locks)``,
    ``('clean', locks)`` if it always runs, ``('group', locks, parallel, steps)`` or ``('trigger',
    builders)``; a lock is its name, mode and units, and the mode of a pool may be a label. ``luck``
    is what chance goes by.
    """
    plain = 'abcde'[: rng.randint(2, 5)]
    builders = {name: draw_builder(rng) for name in plain}
    if rng.random() < 0.4:
        builders['t'] = draw_parent(rng, rng.sample(plain, rng.randint(1, 2)))
        if rng.random() < 0.3:
            builders['u'] = draw_parent(rng, ['t'])
    return {
        'workers': draw_workers(rng),
        'builders': builders,
        'collapseRequests': rng.random() < 0.2,
        'lateBinding': rng.random() < 0.5,
        'parentLendsPlace': rng.random() < 0.8,
        'prioritizeBuilders': rng.random() < 0.2,
        'plugin': rng.random() < 0.1,
        'luck': rng.randrange(1000),
    }


def draw_workers(rng: random.Random) -> dict[str, Any]:
    workers = {
        name: {'most': rng.choice([None, 1, 1, 2]), 'own': rng.random() < 0.2, 'latent': False}
        for name in LOCAL
    }
    if rng.random() < 0.4:
        workers[LATENT] = {'most': rng.choice([1, 2]), 'own': rng.random() < 0.2, 'latent': True}
    return workers


def draw_builder(rng: random.Random) -> dict[str, Any]:
    chosen = draw_locks(rng, 0.6) + draw_locks(rng, 0.2)
    likely = {'canStartBuild': 0.4, 'nextWorker': 0.2, 'nextBuild': 0.2, 'locks': 0.2}
    likely['step locks'] = 0.15
    return {
        'workers': tuple(sorted(rng.sample([*LOCAL[:3], LATENT], rng.randint(1, 3)))),
        'locks': each_once(chosen),
        'asks': tuple(method for method in likely if rng.random() < likely[method]),
        'steps': (('step', ()), *draw_steps(rng)),
    }


def draw_parent(rng: random.Random, children: list[str]) -> dict[str, Any]:
    builder = draw_builder(rng)
    builder['steps'] += (draw_trigger(rng, children),)
    if rng.random() < 0.4:
        builder['steps'] += (('clean', draw_locks(rng, 0.8)),)
    if rng.random() < 0.3:
        builder['workers'] = ('w3',)  # of its own
    return builder


def draw_trigger(rng: random.Random, children: list[str]) -> tuple[Any, ...]:
    """Return a trigger, by itself, in a group, or in one with another beside it, and a step."""
    trigger = ('trigger', tuple(children))
    shape = rng.random()
    if shape < 0.5:
        return trigger
    inner: tuple[Any, ...] = (trigger,)
    if shape > 0.7:
        other: tuple[Any, ...] = ('trigger', (rng.choice(children),))
        if rng.random() < 0.5:
            other = ('group', draw_locks(rng, 0.7), 1, (other,))
        inner += (other,)
        if rng.random() < 0.4:
            inner += (('step', draw_locks(rng, 0.7)),)
    return ('group', draw_locks(rng, 0.5), min(2, len(inner)), inner)


def draw_steps(rng: random.Random, depth: int = 2) -> tuple[Any, ...]:
    """Return none, a step or a group, with groups in it as deep as told."""
    what = rng.random()
    if what < 0.4:
        return ()
    if what < 0.6 or not depth:
        return (('step', draw_locks(rng, 0.7)),)
    inner: tuple[Any, ...] = ()
    for _ in range(rng.choice([1, 1, 2, 3])):
        inner += draw_steps(rng, depth - 1) or (('step', draw_locks(rng, 0.2)),)
    return (('group', draw_locks(rng, 0.7), rng.choice([1, 1, 2]), inner),)


def draw_locks(rng: random.Random, likely: float) -> tuple[Any, ...]:
    if rng.random() >= likely:
        return ()
    name = rng.choice('mnwbpp')
    modes = ['exclusive', 'counting', 'counting', *('xyxy' if name == 'p' else ())]
    mode = rng.choice(modes)
    units = rng.choice([1, 1, 2]) if mode in ('counting', 'x') else 1
    return ((name, mode, units),)


def each_once(locks: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple({lock[0]: lock for lock in locks}.values())
