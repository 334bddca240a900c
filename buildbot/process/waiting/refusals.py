# SPDX-License-Identifier: GPL-2.0-only
"""New: what has been tried in vain, and is left alone until something has changed."""

from __future__ import annotations


class Refusals:
    """The build requests of one builder that could not start, though they might have.

    Without it a lock could go to and fro for ever between requests that do not use it. It does not
    know who waits in line: those are told when it is their turn.

    A refusal (a user's method said no, or what was granted was not used) holds until something
    changes for the builder. A failure (the build did not begin) holds until its time is over,
    since to give the request back looks like a change.
    """

    def __init__(self) -> None:
        # pairs of the id of a build request and the name of a worker; None stands for any worker
        self._refused: set[tuple[int, str | None]] = set()
        self._failed: set[int] = set()
        self._is_outdated = False

    def __bool__(self) -> bool:
        return bool(self._refused or self._failed)

    def refuse(self, brid: int, worker: str | None = None) -> None:
        """Leave a request alone on this worker, or on all, until something changes."""
        self._refused.add((brid, worker))

    def fail(self, brid: int) -> None:
        """Leave a request alone until some time is over."""
        self._failed.add(brid)

    def has(self, brid: int, worker: str | None) -> bool:
        """Tell whether a request is to be left alone on a worker."""
        refused = self._refused
        return brid in self._failed or (brid, worker) in refused or (brid, None) in refused

    def something_changed(self) -> None:
        """Forget, when the builder is looked at the next time, what was refused until then.

        What a look that is under way refuses was asked before the change.
        """
        self._is_outdated = True

    def begin_look(self) -> None:
        """Take note that the builder is looked at from here on."""
        if self._is_outdated:
            self._refused.clear()
            self._is_outdated = False

    def time_is_over(self) -> None:
        """Forget what has failed, and what was refused until the next look."""
        self._failed.clear()
        self._is_outdated = True
