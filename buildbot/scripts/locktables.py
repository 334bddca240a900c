# SPDX-License-Identifier: GPL-2.0-only
"""New: ``buildbot drop-lock-tables`` removes from the database what only Interlock has added."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import defer

from buildbot.master import BuildMaster
from buildbot.scripts import base
from buildbot.util import in_reactor


@in_reactor
@defer.inlineCallbacks
def drop_lock_tables(config: dict[str, Any]) -> Any:
    """Remove the tables; return a Deferred of the exit status."""
    if not base.checkBasedir(config):
        return 1
    basedir = config['basedir'] = os.path.abspath(config['basedir'])
    was_in = os.getcwd()
    os.chdir(basedir)
    try:
        master_config = base.loadConfig(config, base.getConfigFileFromTac(basedir))
        if not master_config:
            return 1
        master = BuildMaster(basedir)
        master.config = master_config
        try:
            yield master.db.setup(check_version=False, verbose=False)
            yield master.db.model.drop_own()
        finally:
            yield master.db.pool.stop()
    finally:
        os.chdir(was_in)
    if not config['quiet']:
        print('the tables for locks have been removed')
    return 0
