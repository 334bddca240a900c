# SPDX-License-Identifier: GPL-2.0-only
"""New: the end of a hold, as people write and read it, in their local time."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta

UNITS = {'d': 86400, 'h': 3600, 'm': 60, 's': 1}

#: ``2h``, ``1.5h``, ``1h30m``
SPAN = re.compile(r'(?:\d{1,6}(?:\.\d{1,6})?[dhms])+', re.ASCII)

TIMES = ('%H:%M', '%H:%M:%S')

MOMENTS = ('%Y-%m-%d %H:%M', '%Y-%m-%d %H:%M:%S')


def end_at(text: str, now: float) -> float:
    """Return when something ends, in seconds since the epoch.

    :param text: a span from now, the next such time of day, or a date with a time.
    :raises ValueError: it is none of these.
    """
    text = text.strip().lower()
    if SPAN.fullmatch(text):
        parts = re.findall(r'([\d.]+)([dhms])', text)
        end = now + sum(float(number) * UNITS[unit] for number, unit in parts)
        if end < 250e9:  # in the year 9892; the year of a date has at most four digits
            return end
    here = datetime.fromtimestamp(now)
    for form in TIMES:
        time = read(text, form)
        if time is not None:
            at = datetime.combine(here.date(), time.time())
            return (at if at > here else at + timedelta(days=1)).timestamp()
    for form in MOMENTS:
        moment = read(text.replace('t', ' '), form)
        if moment is not None:
            try:
                return moment.timestamp()
            except (OverflowError, ValueError, OSError):
                break
    raise ValueError(
        f'{text[:100]!a} is not an end: give a time of day (15:00), a date with a time'
        ' (2027-01-15 15:00), or for how long (2h, 90m)'
    )


def read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None


def moment(at: float, now: float) -> str:
    """Say when something is: ``15:00``, ``15:00 tomorrow``, ``2027-01-15 15:00``."""
    when, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now).date()
    if when.date() == today:
        return f'{when:%H:%M}'
    if when.date() == today + timedelta(days=1):
        return f'{when:%H:%M} tomorrow'
    return f'{when:%Y-%m-%d %H:%M}'
