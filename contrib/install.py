# SPDX-License-Identifier: GPL-2.0-only
"""Install with pip, and report it in one line; pip's output is shown only if it fails.

Usage: python install.py WHAT REQUIREMENT...
"""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> int:
    what, *requirements = sys.argv[1:]
    # what is never imported need not be compiled
    pip_install = ['-m', 'pip', '--disable-pip-version-check', 'install', '--no-compile']
    command = [sys.executable, *pip_install, '--upgrade', *requirements]
    begin = time.monotonic()
    output = []
    count = 0
    tell(f'installing {what}')
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace'
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            output.append(line)
            if line.startswith(('Collecting ', 'Processing ')):
                count += 1
                if sys.stdout.isatty():
                    tell(f'\rinstalling {what}: package {count}')
    if pip.returncode:
        tell('\n' + ''.join(output))
    else:
        tell(f', done in {time.monotonic() - begin:.0f} s\n')
    return pip.returncode


def tell(text: str) -> None:
    print(text, end='', flush=True)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        tell('\n')
        sys.exit(130)
