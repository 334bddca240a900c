# SPDX-License-Identifier: GPL-2.0-only
"""New: configurations that say something else of limits, locks, steps, builders and workers."""

from __future__ import annotations

from typing import Any

from buildbot.test.util.storm.configuration import ANSWERS
from buildbot.test.util.storm.configuration import LOCKS
from buildbot.test.util.storm.database import Database
from buildbot.test.util.storm.requests import some


class Changes(Database):
    """What happens to the configuration, and to what the user says."""

    def on_change_limit(self, name: str, limit: int) -> str:
        self.limits[name] = limit
        return self._changed(f'{name} has {limit}')

    def on_change_locks(self, name: str, locks: tuple[Any, ...]) -> str | None:
        if name not in self.plan['builders']:
            return None
        self.plan['builders'][name]['locks'] = locks
        return self._changed(f'{name} takes {locks}')

    def on_change_steps(self, name: str, steps: tuple[Any, ...]) -> str | None:
        if name not in self.plan['builders']:
            return None
        plan = self.plan['builders'][name]
        kept = (s for s in plan['steps'] if 'trigger' in str(s) or s[0] == 'clean')
        plan['steps'] = (('step', ()), *steps, *kept)
        return self._changed(f'{name} has {plan["steps"]}')

    def on_change_workers(self, name: str, workers: tuple[str, ...]) -> str | None:
        """Let a builder build elsewhere, or on other workers as well."""
        if name not in self.plan['builders']:
            return None
        self.plan['builders'][name]['workers'] = workers
        return self._changed(f'{name} builds on {workers}')

    def on_change_room(self, name: str, most: int | None, own: bool) -> str | None:
        """Let a worker that is not latent run more builds or fewer, with its own lock or not."""
        if name not in self.plan['workers'] or name in self.controllers:
            return None
        running = [build for build in self.running() if build.workername == name]
        if most is not None and most < len(running):
            most = None  # they may be more than that until some of them have ended
        self.plan['workers'][name].update(most=most, own=own)
        self.make_worker(name)
        return self._changed(f'{name} runs {most}{" with its lock" if own else ""}')

    def on_change_builder(self, name: str) -> str | None:
        """Remove a builder, or add it again; one is always there."""
        if name not in self.plan['builders'] or self.present('builders') == [name]:
            return None
        return self._changed(self._add_or_remove(name))

    def on_change_scheduler(self, name: str) -> str | None:
        """Remove the scheduler that triggers a builder, or add it again."""
        if name not in self.present('builders'):
            return None
        self.unscheduled ^= {name}
        return self._changed(f's{name} is {"removed" if name in self.unscheduled else "added"}')

    def on_change_worker(self, name: str) -> str | None:
        """Remove a worker that is not latent, or add it again; one is always there."""
        if name not in self.plan['workers'] or name == 'w0' or name in self.controllers:
            return None
        told = self._add_or_remove(name)
        if name not in self.removed:
            self.make_worker(name)
        return self._changed(told)

    def _add_or_remove(self, name: str) -> str:
        self.removed ^= {name}
        return f'{name} is {"removed" if name in self.removed else "added"}'

    def on_read_anew(self) -> str:
        return self._changed('nothing')

    def _changed(self, what: str) -> str:
        self.reconfigure()
        return what

    def reconfigure(self) -> None:
        """Let the master read its configuration, as often as it takes."""
        failures = None
        while failures != self.failures:
            failures = self.failures
            read = self.reconfig_master(self.config())
            self.settle()
            self.keep_version()  # also of one that fails: builds may begin with it
            if not read.called and self.failures > failures:
                self.let_time_go(300)  # a scheduler that cannot begin is tried again
            self.at_once(read)
        self.keep_version()
        self.poke_all()

    def change_all_back(self) -> None:
        """Let there be enough of all."""
        self.removed.clear()
        self.unscheduled.clear()
        for name in set(self.plan['workers']) - set(self.master.workers.workers):
            self.make_worker(name)
        self.limits = dict.fromkeys(LOCKS, 3)
        self.reconfigure()

    # the user

    def on_change_mind(self, which: int, says: str) -> str | None:
        minds = self._minds()
        said = [(name, method) for name, of in minds.items() for method in of]
        one = some(which, said)
        if one is None or says not in ANSWERS[one[1]]:
            return None
        name, method = one
        minds[name][method] = says
        return f'of {method} of {name} to {says!r}'

    def _minds(self) -> dict[str, dict[str, str]]:
        minds = {name: user.says for name, user in self.users.items()}
        if self.plan['prioritizeBuilders']:
            minds[''] = self.order.says
        return minds

    def on_answer(self, which: int, says: str) -> str | None:
        if not self.questions:
            return None
        name, d = self.questions.pop(which % len(self.questions))
        d.callback(says)
        return f'of {name} is {says}'

    def on_change_plugin(self, says: str) -> str | None:
        if not self.plan['plugin']:
            return None
        self.plugin = says
        return says

    def answer_all(self) -> None:
        """Let the user say yes to everything from now on."""
        for says in self._minds().values():
            says.update({method: ANSWERS[method][0] for method in says})
        self.plugin = 'yes'
        while self.questions:
            self.questions.pop(0)[1].callback('yes')
            self.settle()
