# SPDX-License-Identifier: GPL-2.0-only
"""New: addresses of a master and of its pages, as people copy them from their browser."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote
from urllib.parse import urlsplit

#: the name of the id of each kind that can wait
IDS = {
    'builders': 'builderid',
    'buildrequests': 'buildrequestid',
    'builds': 'buildid',
    'steps': 'stepid',
}


def master_url(text: str) -> str:
    """Return the address of a master's web page, with a slash at the end.

    :raises ValueError: the text is not such an address; the message says why.
    """
    text = text.partition('#')[0]
    if '://' not in text:
        text = f'http://{text}'
    try:
        parts = urlsplit(text)
        good = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r'[!-~]+', text):
        raise ValueError(
            f'{text!a} is not the address of a web page, such as http://localhost:8010/'
        )
    if '@' in parts.netloc:
        raise ValueError('leave user and password out of the address and use --user')
    return f'{parts.scheme}://{parts.netloc}{parts.path.rstrip("/")}/'


class Thing(NamedTuple):
    """What a user asks about. It is not the answer.

    :param master: the address of its master; None if only an id was given.
    :param path: of its row in the data API.
    :param kind: of that row, in the plural.
    """

    master: str | None
    path: str
    kind: str

    @property
    def id(self) -> str:
        """The name of its id."""
        return IDS[self.kind]


def thing_at(text: str) -> Thing:
    """Return what is shown at an address of the web page or of the data API.

    :param text: may be only the id of a build request.
    :raises ValueError: nothing there can wait; the message says so.
    """
    if re.fullmatch(r'[0-9]{1,18}', text):
        return Thing(None, f'buildrequests/{text}', 'buildrequests')
    base, mark, path = text.partition('#')
    if not mark:
        base, _, path = text.partition('/api/v2/')
    parts = [part for part in path.partition('?')[0].split('/') if part]
    if parts[:1] == ['why']:  # the page of the locks has its own addresses
        parts = parts[1:]
    kinds = [kind for kind in IDS if kind in parts[-2:-1]]
    if not kinds or len(parts) % 2:
        raise ValueError(
            f'{text[:200]!a} is neither the address of a builder, build request, build or step'
            ' nor the id of a build request'
        )
    path = '/'.join(quote(part, safe='%') for part in parts)
    return Thing(master_url(base), path, kinds[0])
