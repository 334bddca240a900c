# SPDX-License-Identifier: GPL-2.0-only
"""New: requests that were tried in vain, and are not tried again until something has changed."""

from __future__ import annotations


class Refusals:
    """The build requests of one builder that are not to be tried, though their locks were free.

    Without it a lock could go to and fro for ever between requests that do not use it. Requests
    that wait in line are not here: they are woken when it is their turn.

    A refusal (a user's method said no, or granted locks were not used) lasts until something
    changes for the builder. A failure (the build did not begin) lasts until ``time_is_over``,
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
        """Do not try a request on this worker, or on any, until something changes."""
        self._refused.add((brid, worker))

    def fail(self, brid: int) -> None:
        """Do not try a request until ``time_is_over``."""
        self._failed.add(brid)

    def has(self, brid: int, worker: str | None) -> bool:
        """Tell whether a request is not to be tried on a worker."""
        refused = self._refused
        return brid in self._failed or (brid, worker) in refused or (brid, None) in refused

    def something_changed(self) -> None:
        """Forget all refusals when the next look at the builder begins.

        Those of a look that is under way were decided before the change.
        """
        self._is_outdated = True

    def begin_look(self) -> None:
        """Note that a look at the builder begins."""
        if self._is_outdated:
            self._refused.clear()
            self._is_outdated = False

    def time_is_over(self) -> None:
        """Forget the failures now, and the refusals when the next look begins."""
        self._failed.clear()
        self._is_outdated = True
