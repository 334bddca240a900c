# SPDX-License-Identifier: GPL-2.0-only
"""``python -m buildbot_overlay``: is the overlay on, and does it fit? Exit status 0 only if both.

``python -m buildbot_overlay seams`` writes the installed release's fingerprints into the
``seams.txt`` of the working directory's tree.
"""

from __future__ import annotations

import importlib
import os
import sys

import buildbot_overlay as overlay
from buildbot_overlay import fit
from buildbot_overlay import seams


def main(arguments: list[str]) -> int:
    if arguments == ['seams']:
        return write_seams()
    if arguments:
        print('usage: python -m buildbot_overlay [seams]', file=sys.stderr)
        return 2
    lines, sound = status()
    tell('\n'.join(lines))
    return 0 if sound else 1


def tell(text: str) -> None:
    """Print a text, or as much as its reader (``head``, say) wants."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # the rest is written again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_seams() -> int:
    path = os.path.join(os.getcwd(), overlay.PACKAGE, 'seams.txt')
    if not os.path.isfile(path):
        print(f'there is no {path}; run this in a checkout of the overlay', file=sys.stderr)
        return 1
    try:
        release = overlay.find_release(os.path.dirname(path))
        seams.rewrite(path, release)
    except (overlay.UnsupportedRelease, ValueError) as e:
        print(e, file=sys.stderr)
        return 1
    missing = [str(seam) for seam in seams.read(path) if seam.fingerprint == 'missing']
    print(f'{path}: written from {release}')
    for name in missing:
        print(f'missing in the release: {name}')
    return 1 if missing else 0


def status() -> tuple[list[str], bool]:
    """Describe the effect of an ``import`` of the package in this interpreter.

    :returns: lines to print; whether the overlay is on and sound.
    """
    copies = installed_copies()
    lines = [f'{overlay.DISTRIBUTION} {overlay.__version__} in {overlay.HERE}']
    if len(copies) > 1:
        lines.append(f'installed twice: {" and ".join(copies)}; uninstall all but one')
    try:
        package = importlib.import_module(overlay.PACKAGE)
    except ImportError as e:
        return [*lines, f'off: {e}'], False
    if not hasattr(package, 'upstream'):
        return [*lines, f'off: {why_off(package)}', f'{overlay.PACKAGE} {package.version}'], False
    problems = [f'stale: {stale}' for stale in stale_bases(package)]
    tree = os.path.realpath(package.__path__[0])
    if tree != os.path.realpath(os.path.join(overlay.TREE, overlay.PACKAGE)):
        problems.append(f'not the installed tree: {tree} stands in front of it; run from elsewhere')
    low, high = overlay.SUPPORTED
    lines += [
        'on',
        f'{overlay.PACKAGE} {package.version} in {package.__path__[-1]} (fits >={low},<{high})',
        'overlaid modules:',
        *(f'    {name}' for name in fit.overlaid_modules(package)),
        'added modules:',
        *(f'    {name}' for name in fit.modules(package, 'adds')),
        'seams:',
        *(f'    {state:<8}{seam}' for seam, state in fit.seam_states(package)),
        *problems,
    ]
    return lines, len(copies) < 2 and not problems


def installed_copies() -> list[str]:
    # a checkout of the overlay as working directory does not count
    entries = dict.fromkeys(os.path.realpath(entry) for entry in sys.path if entry)
    entries.pop(os.path.realpath('.'), None)
    found = [os.path.join(entry, overlay.__name__) for entry in entries]
    return [path for path in found if os.path.isfile(os.path.join(path, '__init__.py'))]


def why_off(package: object) -> str:
    where = os.path.dirname(str(package.__file__))  # type: ignore[attr-defined]
    if os.environ.get(overlay.SWITCH) == 'off':
        return f'{overlay.SWITCH}=off, so the release in {where} runs as it is'
    if overlay.TREE not in sys.path:
        return 'nothing activates it (an editable install does not); install the wheel'
    return (
        f'{where} stands before the overlay on the path and wins; an upstream checkout as working'
        ' directory does that; run from another directory'
    )


def stale_bases(package: object) -> list[str]:
    stale = []
    for name in fit.overlaid_modules(package):  # type: ignore[arg-type]
        importlib.import_module(name)
        if hasattr(sys.modules[name], 'upstream'):
            stale += [f'{name}: {bases}' for bases in fit.stale_bases(name)]
    return stale


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
