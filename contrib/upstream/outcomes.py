# SPDX-License-Identifier: GPL-2.0-only
"""Run tests with trial and write the outcome of each, one JSON line per test.

Usage: python outcomes.py FILE SHARD SHARDS PACKAGE...

Of the test modules of all PACKAGEs, this runs every SHARDS-th one, beginning with SHARD. If TRACED
is set in the environment, to the root of the checkout, FILE.calls gets what each of them calls.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import traced
from found import cases_of
from found import suite_of
from twisted.trial import reporter
from twisted.trial import runner


def modules_of(suite: Any) -> dict[str, list[Any]]:
    """Group the test cases of a suite by module."""
    found: dict[str, list[Any]] = {}
    for case in cases_of(suite):
        found.setdefault(type(case).__module__, []).append(case)
    return found


class Outcomes(reporter.Reporter):
    """Writes the worst outcome of each test to ``file`` when all have run. It prints nothing."""

    file = ''
    worst = ['success', 'skip', 'expected failure', 'unexpected success', 'failure', 'error']

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, str] = {}
        self.calls: dict[str, set[str]] = {}

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        if type(test).__module__ not in self.calls:
            traced.called.clear()
            self.calls[type(test).__module__] = set()

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self.calls[type(test).__module__] |= traced.called

    def _note(self, test: Any, outcome: str) -> None:
        known = self.outcomes.get(test.id(), 'success')
        self.outcomes[test.id()] = max(known, outcome, key=self.worst.index)
        if len(self.outcomes) % 500 == 0:
            print(f'  {len(self.outcomes)} tests', file=sys.stderr, flush=True)

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._note(test, 'success')

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, reason)
        self._note(test, 'skip')

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self._note(test, 'error')

    def addFailure(self, test: Any, fail: Any) -> None:
        super().addFailure(test, fail)
        self._note(test, 'failure')

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        super().addExpectedFailure(test, error, todo)
        self._note(test, 'expected failure')

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        super().addUnexpectedSuccess(test, todo)
        self._note(test, 'unexpected success')

    def done(self) -> None:
        super().done()
        with open(self.file, 'w', encoding='utf-8') as f:
            f.writelines(json.dumps(item) + '\n' for item in sorted(self.outcomes.items()))
        if 'TRACED' in os.environ:
            calls = {name: sorted(found) for name, found in self.calls.items()}
            calls[''] = sorted(traced.shared)
            Path(f'{self.file}.calls').write_text(json.dumps(calls), encoding='utf-8')


def main() -> int:
    Outcomes.file, which, count, *packages = sys.argv[1:]
    if 'TRACED' in os.environ:
        traced.trace(Path(os.environ['TRACED']))
    shard, shards = int(which), int(count)
    modules = modules_of(suite_of(*packages))
    mine = sorted(modules)[shard::shards]
    suite = runner.TestSuite([case for name in mine for case in modules[name]])
    factory: Any = Outcomes
    runner.TrialRunner(factory, workingDirectory=f'trial-{shard}').run(suite)
    return 0


if __name__ == '__main__':
    sys.exit(main())
