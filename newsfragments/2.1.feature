``util.BranchLock`` is a lock with one copy for each branch, for builders, steps and step groups.
``util.SlaveLock`` is another name of ``util.WorkerLock``.
