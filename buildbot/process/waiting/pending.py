# SPDX-License-Identifier: GPL-2.0-only
"""New: the pending build requests of a builder, in order."""

from __future__ import annotations

from bisect import bisect_left
from bisect import insort
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Hashable
from typing import Iterator

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest


class PendingRequests:
    """The pending requests of one builder, by priority and then by age. It does not read them.

    Requests that want the same locks form a group. While the first of a group waits for its locks,
    the others need no look.
    """

    def __init__(self) -> None:
        self._brdicts: dict[int, dict[str, Any]] = {}
        self._requests: dict[int, BuildRequest] = {}
        self._group_of: dict[int, Hashable] = {}
        self._by_age: list[tuple[Any, int]] = []
        self._groups: dict[Hashable, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._brdicts)

    def __contains__(self, brid: int) -> bool:
        return brid in self._brdicts

    def brdicts(self) -> list[dict[str, Any]]:
        """Return all requests as the data API gives them, oldest first."""
        return [self._brdicts[brid] for brid in sorted(self._brdicts)]

    def brdict(self, brid: int) -> dict[str, Any]:
        return self._brdicts[brid]

    def add(self, brdict: dict[str, Any]) -> None:
        """Add a request, as the data API gives it, or replace a changed one."""
        brid = brdict['buildrequestid']
        request = self._requests.get(brid)
        self.discard(brid)
        self._brdicts[brid] = brdict
        insort(self._by_age, (brdict['submitted_at'], brid))
        if request is not None:
            request.priority = brdict['priority']
            self._requests[brid] = request

    def bring_up_to_date(self, brdicts: list[dict[str, Any]], but: set[int]) -> list[int]:
        """Replace the requests with those of the database.

        :param brdicts: all pending requests, as the data API gives them.
        :param but: ids of requests that messages have changed since the database was read. These
            are left as they are.
        :returns: ids of the requests that were added, were removed, or have a new priority.
        """
        read = {brdict['buildrequestid']: brdict for brdict in brdicts}
        changed = [brid for brid in self._brdicts if brid not in read and brid not in but]
        for brid in changed:
            self.discard(brid)
        for brid, brdict in read.items():
            known = self._brdicts.get(brid)
            if brid not in but and (known is None or known['priority'] != brdict['priority']):
                self.add(brdict)
                changed.append(brid)
        return changed

    def discard(self, brid: int) -> None:
        """Remove a request, if it is here."""
        brdict = self._brdicts.pop(brid, None)
        if brdict is None:
            return
        remove(self._by_age, (brdict['submitted_at'], brid))
        self._requests.pop(brid, None)
        group = self._group_of.pop(brid, None)
        if group in self._groups:
            members = self._groups[group]
            remove(members, place_of(brdict))
            if not members:
                del self._groups[group]

    def request(self, brid: int) -> BuildRequest | None:
        """Return the ``BuildRequest`` kept for this id, or None."""
        return self._requests.get(brid)

    def keep(self, request: BuildRequest) -> None:
        """Keep the ``BuildRequest`` of a pending request, with the latest priority."""
        if request.id in self._brdicts:
            request.priority = self._brdicts[request.id]['priority']
            self._requests[request.id] = request

    def without_group(self) -> list[int]:
        """Return the ids of the requests that are in no group yet."""
        if len(self._group_of) == len(self._brdicts):
            return []
        return [brid for brid in self._brdicts if brid not in self._group_of]

    def put_in_group(self, brid: int, group: Hashable) -> None:
        """Put a request into the group of requests that want the same locks."""
        if brid in self._brdicts and brid not in self._group_of:
            self._group_of[brid] = group
            insort(self._groups.setdefault(group, []), place_of(self._brdicts[brid]))

    def is_behind(self, brid: int, other: int) -> bool:
        """Tell whether two requests are in one group, and the first is behind the other."""
        groups = self._group_of
        if brid not in groups or other not in groups or groups[brid] != groups[other]:
            return False
        return place_of(self._brdicts[brid]) > place_of(self._brdicts[other])

    def before(self, brid: int) -> Iterator[int]:
        """Yield the ids of the requests ahead of a request in its group, in order."""
        if brid in self._group_of:
            for _, other in self._groups[self._group_of[brid]]:
                if other == brid:
                    return
                yield other

    def forget_groups(self) -> None:
        """Take all requests out of their groups, because the locks they want have changed."""
        self._group_of.clear()
        self._groups.clear()

    def first(self, is_out: Callable[[int], bool], waits: Callable[[int], bool]) -> int | None:
        """Return the id of the first request that needs a look; None if there is none.

        :param is_out: tells whether to skip a request and go on with the next one in its group.
        :param waits: tells whether to skip a request and all requests behind it in its group.
        """
        due = [first_of(members, is_out, waits) for members in self._groups.values()]
        return min((place for place in due if place is not None), default=(0, None))[1]

    def all_wait(self, waits: Callable[[int], bool]) -> bool:
        """Tell whether all requests are in a group and the first request of each group waits."""
        if len(self._group_of) != len(self._brdicts):
            return False
        for members in self._groups.values():
            if not waits(members[0][1]):
                return False
        return True

    def highest_priority(self) -> int | None:
        """Return the highest priority of all requests; None if there are none."""
        priorities = [-members[0][0] for members in self._groups.values()]
        priorities += [self._brdicts[brid]['priority'] for brid in self.without_group()]
        return max(priorities, default=None)

    def oldest(self) -> Any:
        """Return when the oldest request was submitted; None if there are none."""
        return self._by_age[0][0] if self._by_age else None


def place_of(brdict: dict[str, Any]) -> tuple[int, int]:
    return (-brdict['priority'], brdict['buildrequestid'])


def first_of(
    members: list[tuple[int, int]], is_out: Callable[[int], bool], waits: Callable[[int], bool]
) -> tuple[int, int] | None:
    for place in members:
        if waits(place[1]):
            return None
        if not is_out(place[1]):
            return place
    return None


def remove(entries: list[Any], entry: Any) -> None:
    i = bisect_left(entries, entry)
    if i < len(entries) and entries[i] == entry:
        del entries[i]
