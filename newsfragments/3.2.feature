``util.BranchLock`` has ``codebase``, ``key`` and patterns in ``maxCountForBranch``, and its copies are
gone when nobody has them. ``util.SlaveLock`` knows ``maxCountForSlave``.
