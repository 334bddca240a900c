# SPDX-License-Identifier: GPL-2.0-only
"""New: requests that did not start when tried, and are not tried again until something changes."""

from __future__ import annotations


class Refusals:
    """The build requests of one builder that must not be tried, although their locks were free.

    Without this class a lock could pass back and forth forever between requests that do not use
    it. Requests that wait in line are not here: they are woken when their turn comes.

    A refusal (a user's method said no, or granted locks were not used) lasts until something
    changes for the builder. A failure (the build did not begin) lasts until ``time_is_over``,
    because giving the request back looks like a change.

    A note does not prevent a try: it says how the last one ended.
    """

    def __init__(self) -> None:
        # the reason, by id of a build request and name of a worker; None stands for any worker
        self._refused: dict[tuple[int, str | None], str] = {}
        self._failed: dict[int, str] = {}
        self._notes: dict[tuple[int, str | None], str] = {}
        self._is_outdated = False

    def __bool__(self) -> bool:
        return bool(self._refused or self._failed)

    def refuse(self, brid: int, worker: str | None, why: str) -> None:
        """Do not try a request on this worker, or on any, until something changes."""
        self._refused[brid, worker] = why

    def fail(self, brid: int, why: str) -> None:
        """Do not try a request until ``time_is_over``."""
        self._failed[brid] = why

    def note(self, brid: int, worker: str | None, why: str) -> None:
        """Say why a request did not start on this worker, or on any, until the next look."""
        self._notes[brid, worker] = why

    def has(self, brid: int, worker: str | None) -> bool:
        """Tell whether a request must not be tried on a worker."""
        refused = self._refused
        return brid in self._failed or (brid, worker) in refused or (brid, None) in refused

    def why(self, brid: int, worker: str | None) -> str | None:
        """Return why a request was refused on a worker, or else the note about it, or None.

        :param worker: the worker's name; None asks for what applies to any worker.
        """
        for known in (self._refused, self._notes):
            why = known.get((brid, worker))
            if why is not None:
                return why
        return None

    def why_failed(self, brid: int) -> str | None:
        """Return why a request is not tried until ``time_is_over``; None if it may be tried."""
        return self._failed.get(brid)

    def something_changed(self) -> None:
        """Forget all refusals when the next look at the builder begins.

        A look that is under way may still add refusals that it decided before the change.
        """
        self._is_outdated = True

    def begin_look(self) -> None:
        """Note that a look at the builder begins."""
        self._notes.clear()
        if self._is_outdated:
            self._refused.clear()
            self._is_outdated = False

    def time_is_over(self) -> None:
        """Forget the failures now, and the refusals when the next look begins."""
        self._failed.clear()
        self._is_outdated = True
