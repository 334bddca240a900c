# SPDX-License-Identifier: GPL-2.0-only
"""Curves and bars in a PNG, one panel next to another."""

from __future__ import annotations

from typing import NamedTuple
from typing import Sequence


class Panel(NamedTuple):
    """One set of axes. It is not drawn yet.

    :param title: what the curves show.
    :param xlabel: what the points are.
    :param points: their labels, in order.
    :param curves: by name, a value for each point; None where there is none.
    :param is_log: whether the points form a scale, and the values are drawn as curves on a
        logarithmic axis; otherwise the points are separate things, and the values are drawn as
        bars.
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
        1, len(panels), figsize=(4.2 * len(panels), 3.6), layout='constrained', squeeze=False
    )
    for axis, panel in zip(axes[0], panels):
        places = list(range(len(panel.points)))
        width = 0.8 / len(panel.curves)
        for i, (name, values) in enumerate(panel.curves.items()):
            heights = [float('nan') if value is None else value for value in values]
            is_plain = name.startswith('plain')
            if panel.is_log:
                axis.plot(places, heights, '--' if is_plain else '-', marker='o', label=name)
            else:
                beside = [place + (i - (len(panel.curves) - 1) / 2) * width for place in places]
                axis.bar(beside, heights, width, label=name, hatch='//' if is_plain else None)
        axis.set_title(panel.title, fontsize=10)
        axis.set_xlabel(panel.xlabel, fontsize=9)
        axis.set_xticks(places, [str(point) for point in panel.points], fontsize=8)
        if panel.is_log:
            axis.set_yscale('log')
        else:
            axis.set_ylim(top=1.45 * axis.get_ylim()[1])  # room for the legend
        axis.grid(alpha=0.3, axis='both' if panel.is_log else 'y')
        axis.legend(fontsize=7, loc='best' if panel.is_log else 'upper left')
    figure.savefig(path, dpi=110)
