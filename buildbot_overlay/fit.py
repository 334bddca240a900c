# SPDX-License-Identifier: GPL-2.0-only
"""Tells whether the overlay and the release under it fit together."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING
from typing import Iterator

import buildbot_overlay as overlay
from buildbot_overlay import seams

if TYPE_CHECKING:
    from types import ModuleType


def check(package: ModuleType) -> None:
    """Refuse a release that the overlay was not made for.

    :param package: the outermost package of the tree, extended by the release.
    :raises UnsupportedRelease: with one sentence that names the version, the seams and the ways
        out.
    """
    try:
        halves = ', '.join(missing_modules(package))
    except (OSError, ValueError) as e:
        raise overlay.refusal(overlay.half_installed(str(e)))
    if halves:
        raise overlay.refusal(
            overlay.half_installed(f'there is no {halves} in {package.__path__[0]}')
        )
    version = getattr(package, 'version', 'one without a version')
    if not supported(version):
        low, high = overlay.SUPPORTED
        raise overlay.refusal(
            f'{overlay.DISTRIBUTION} {overlay.__version__} was made for {overlay.PACKAGE}'
            f' >={low},<{high} and finds {version} in {package.__path__[-1]}; {overlay.way_out()}'
        )
    missing = missing_seams(package)
    if missing:
        raise overlay.refusal(
            f'{overlay.DISTRIBUTION} {overlay.__version__} does not fit {overlay.PACKAGE} {version}'
            f' in {package.__path__[-1]}: {", ".join(missing)}; {overlay.way_out()}'
        )


def supported(version: str) -> bool:
    """Tell whether a version is in the supported range."""
    low, high = (numbers(bound) for bound in overlay.SUPPORTED)
    return low <= numbers(version) < high


def numbers(version: str) -> list[int]:
    # what follows the numbers (.dev5, .post1, rc2) does not move a version out of the range
    match = re.match(r'\d+(\.\d+)*', version)
    return [int(part) for part in match.group().split('.')] if match else []


def seams_file(package: ModuleType) -> str:
    return os.path.join(package.__path__[0], 'seams.txt')


def seam_states(package: ModuleType) -> list[tuple[seams.Seam, str]]:
    """Return each seam with ``same``, ``changed`` or ``gone``."""
    return list(seams.compare(seams.read(seams_file(package)), package.__path__[-1]))


def missing_seams(package: ModuleType) -> list[str]:
    """Name the seams that the release does not have as the overlay knows them.

    :returns: such as ``buildbot.process.builder.Builder.maybeStartBuild (changed)``.
    """
    return [f'{seam} ({state})' for seam, state in seam_states(package) if state != 'same']


def overlaid_modules(package: ModuleType) -> list[str]:
    """Return the dotted names of the release's modules that the tree replaces."""
    return modules(package, 'overlays')


def modules(package: ModuleType, *kinds: str) -> list[str]:
    found = seams.read(seams_file(package))
    return [seam.module for seam in found if seam.kind in kinds and not seam.name]


def missing_modules(package: ModuleType) -> Iterator[str]:
    root = os.path.dirname(package.__path__[0])
    for module in modules(package, 'overlays', 'adds'):
        path = os.path.join(root, *module.split('.'))
        if not any(os.path.isfile(path + end) for end in ('.py', '/__init__.py')):
            yield module


def stale_bases(name: str) -> list[str]:
    """Name the classes that still inherit from a class of the release which the tree replaces.

    Such a class would lack what the tree adds to its base.

    :param name: dotted name of a module of the tree that has been imported.
    :returns: such as ``RealMasterLock <- BaseLock``.
    """
    module = sys.modules[name]
    now = {
        theirs: getattr(module, key)
        for key, theirs in vars(module.upstream).items()
        if isinstance(theirs, type)
    }
    return sorted(
        f'{cls.__name__} <- {base.__name__}'
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == name
        for base in cls.__mro__
        if base in now and now[base] not in cls.__mro__
    )
