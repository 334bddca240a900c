# SPDX-License-Identifier: GPL-2.0-only
"""The author of the patches: the person who makes them, as git knows them."""

from __future__ import annotations

from .names import Refusal
from .tree import Tree


def check_author(tree: Tree) -> None:
    """Raise Refusal if git does not know the author of commits in a checkout."""
    try:
        tree.git('-c', 'user.useConfigOnly=true', 'var', 'GIT_AUTHOR_IDENT')
        tree.git('-c', 'user.useConfigOnly=true', 'var', 'GIT_COMMITTER_IDENT')
    except Refusal:
        raise Refusal(
            'git does not know whose the patches are: set user.name and user.email with git config'
        ) from None
