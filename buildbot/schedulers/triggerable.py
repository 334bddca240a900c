# SPDX-License-Identifier: GPL-2.0-only
"""Who waits for what a scheduler could not even ask for hears of that, and waits no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from buildbot_overlay import release

if TYPE_CHECKING:
    from twisted.python.failure import Failure

upstream = release(__name__)


class Triggerable(upstream.Triggerable):
    def trigger(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for builds.

        :returns: a Deferred of the ids of what is asked for, and one of its results. Both fail if
            it could not be asked for.
        """
        triggered = super().trigger(*args, **kwargs)
        made, results = triggered

        def fail(why: Failure) -> Failure:
            results.errback(why)
            return why

        made.addErrback(fail)
        return made, results
