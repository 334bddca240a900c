# SPDX-License-Identifier: GPL-2.0-only
"""New: checks of what people ask for, with a sentence for each refusal."""

from __future__ import annotations

import math
from typing import Any
from typing import NamedTuple

from buildbot.config.words import why_unwritable
from buildbot.locking.copies import definition_of
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import in_units
from buildbot.locking.copy import is_number_of_units
from buildbot.process.eye.userows import MOST_UNITS
from buildbot.process.hand.hold import Taking
from buildbot.process.hand.version import time_of_day
from buildbot.process.hand.version import what_has_changed

#: the most characters of a name or a reason
LONGEST = 1000

DAY = 86400

#: the most seconds until the end of a hold; an extension may move the end on
FURTHEST = 366 * DAY


class Refused(Exception):
    """What a person asked for is refused; the text says why. Nothing has changed."""


class By(NamedTuple):
    """Who asks for something, why, and what they saw. It does not say what is asked for.

    :param who: name of the person, as Buildbot's authentication gives it.
    :param reason: the reason; it may be empty where none is needed.
    :param version: version of the copy that the person saw; see ``version_of``.
    """

    who: str
    reason: str = ''
    version: Any = None


def check_seen(copy: BaseLock, by: By) -> None:
    """Check that a copy has not changed since a person looked at it.

    :raises Refused: it has changed, or ``by`` gives no version.
    """
    if not isinstance(by.version, str):
        raise Refused(
            f"{copy}: the parameter 'version' is missing: which version of it you looked at"
        )
    news = what_has_changed(copy, by.version)
    if news is not None:
        raise Refused(news)


def check_running(copy: BaseLock, master: Any) -> None:
    """Check that the master is not shutting down.

    :raises Refused: it is.
    """
    if not master.running or master.botmaster.shuttingDown:
        raise Refused(f'{copy}: the master is shutting down, so nothing can be taken by hand')


def check_kept(copy: BaseLock, what: str, name: str, master: Any) -> None:
    """Check that the database can keep a name, so that it is known after a restart.

    :param what: what the name is, for the message.
    :raises Refused: it cannot.
    """
    if not master.db.lock_hand.can_keep(name):
        raise Refused(f'{copy}: the database cannot keep {what} as it is')


def check_text(copy: BaseLock, what: str, text: Any) -> str:
    """Return a reason or a name without surrounding white space.

    :param what: what the text is, for the message.
    :raises Refused: it is empty, too long, not a text, or cannot be written.
    """
    if not isinstance(text, str) or not text.strip():
        raise Refused(f'{copy}: {what} must not be empty')
    if len(text) > LONGEST:
        raise Refused(f'{copy}: {what} is longer than {LONGEST} characters')
    why = why_unwritable(text)
    if why is not None:
        raise Refused(f'{copy}: {what} has {why}')
    return text.strip()


def check_end(copy: BaseLock, until: Any, since: float, now: float) -> float:
    """Check the end of a hold, and return it.

    :param until: the end as a point in time, in seconds of the clock.
    :param since: when the hold began or begins.
    :raises Refused: it is in the past, or too far away.
    """
    is_number = isinstance(until, (int, float)) and not isinstance(until, bool)
    if not is_number or not -math.inf < until < math.inf:
        raise Refused(f'{copy}: the end must be a time in seconds, not {until!r}')
    if until <= now:
        raise Refused(f'{copy}: the end is in the past')
    if until > now + FURTHEST:
        raise Refused(f'{copy}: the end is more than {FURTHEST // DAY} days away')
    most = getattr(definition_of(copy), 'maxHold', None)
    if most is not None and until > since + most:
        latest = time_of_day(since + most)
        raise Refused(f'{copy}: nobody may hold it for longer than {most:g} s, until {latest}')
    return float(until)


def taking_of(copy: BaseLock, mode: Any, units: Any) -> Taking:
    """Return how a person takes a copy.

    :raises Refused: the copy cannot be taken in that way.
    """
    if mode == 'exclusive':
        if units not in (None, 1):
            raise Refused(f'{copy}: an exclusive hold takes all of it, so units have no meaning')
        return Taking()
    if mode != 'counting':
        raise Refused(f"{copy}: it can be held 'exclusive' or 'counting', not {mode!r}")
    units = 1 if units is None else units
    if not is_number_of_units(units) or not units:
        raise Refused(f'{copy}: {units!r} is not a number of units to hold')
    if units > copy.maxCount:
        raise Refused(f'{copy}: {in_units(units)} can never be granted: it has {copy.maxCount}')
    if units > MOST_UNITS:
        raise Refused(f'{copy}: nobody can hold more than {in_units(MOST_UNITS)}, except all')
    return Taking('counting', units)
