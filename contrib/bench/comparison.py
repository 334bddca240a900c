# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of labs side by side, on plain Buildbot and on Interlock: a table and a picture."""

from __future__ import annotations

import argparse
import statistics
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Sequence

from chart import Panel
from chart import draw
from children import Child
from children import measure

SHAPES = ((4, 4), (16, 16))  # workers, builders
ALL_SHAPES = ((4, 4), (4, 16), (16, 4), (16, 16))


class Column(NamedTuple):
    """What is shown of a lab besides its makespan. It has no figures.

    :param title: of the panel.
    :param value: takes what the lab measured, and returns a number.
    :param text: a format for it.
    """

    title: str
    value: Callable[[dict[str, float]], float]
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--seeds', type=int, default=1, help='how many labs of each kind')
    parser.add_argument('--all', action='store_true', help='more shapes of labs')
    parser.add_argument('--png', help='draw the table into this file')


def compare(
    script: str,
    options: argparse.Namespace,
    kinds: Sequence[tuple[bool, str]],
    settings: Sequence[Any],
    bound: Callable[[int, int], float],
    column: Column,
) -> None:
    """Measure labs of each kind, shape and seed, and print and draw the results.

    :param kinds: whether it is on plain Buildbot, and its name.
    :param settings: what each lab is given besides kind, seed, workers and builders.
    :param bound: takes a seed and a number of workers, and returns the least makespan, in seconds.
    """
    shapes = ALL_SHAPES if options.all else SHAPES
    seeds = range(1, options.seeds + 1)

    def child(plain: bool, kind: str, seed: int, shape: tuple[int, int]) -> Child:
        return Child((kind, seed, *settings, *shape), plain)

    found = measure(
        script, [child(*kind, seed, shape) for shape in shapes for kind in kinds for seed in seeds]
    )
    ratios: dict[str, list[float]] = {}
    values: dict[str, list[float]] = {}
    for plain, kind in kinds:
        name = f'{"plain" if plain else "Interlock"}: {kind}'
        for shape in shapes:
            labs = {seed: found[child(plain, kind, seed, shape)] for seed in seeds}
            ratios.setdefault(name, []).append(
                statistics.mean(
                    lab['makespan'] / bound(seed, shape[0]) for seed, lab in labs.items()
                )
            )
            values.setdefault(name, []).append(statistics.mean(map(column.value, labs.values())))
    labels = [f'W{workers} B{builders}' for workers, builders in shapes]
    width = max(map(len, ratios)) + 2
    print(' ' * width + ''.join(f'{label:>15}' for label in labels))
    for name in ratios:
        cells = [f'{r:.2f} ({column.text.format(v)})' for r, v in zip(ratios[name], values[name])]
        print(f'{name:{width}}' + ''.join(f'{cell:>15}' for cell in cells))
    if options.png:
        where = 'workers, builders'
        draw(
            options.png,
            [
                Panel('makespan over the lower bound', where, labels, dict(ratios)),
                Panel(column.title, where, labels, dict(values)),
            ],
        )
