# SPDX-License-Identifier: GPL-2.0-only
"""Curves in a PNG, one panel beside the other."""

from __future__ import annotations

from typing import NamedTuple
from typing import Sequence


class Panel(NamedTuple):
    """One set of axes.

    :param title: what the curves are of.
    :param xlabel: what the points are.
    :param points: their labels, in order.
    :param curves: by name, a value for each point; None where there is none.
    :param is_log: whether the values are drawn by their order of magnitude.
    """

    title: str
    xlabel: str
    points: Sequence[object]
    curves: dict[str, Sequence[float | None]]
    is_log: bool = False


def draw(path: str, panels: Sequence[Panel]) -> None:
    """Write a picture of some panels."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(3.6 * len(panels), 3.4), layout='constrained', squeeze=False
    )
    for axis, panel in zip(axes[0], panels):
        places = list(range(len(panel.points)))
        for name, values in panel.curves.items():
            is_plain = name.startswith('plain')
            axis.plot(
                places,
                [float('nan') if value is None else value for value in values],
                '--' if is_plain else '-',
                marker='o',
                label=name,
            )
        axis.set_title(panel.title, fontsize=10)
        axis.set_xlabel(panel.xlabel, fontsize=9)
        axis.set_xticks(places, [str(point) for point in panel.points], fontsize=8)
        if panel.is_log:
            axis.set_yscale('log')
        else:
            axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)
