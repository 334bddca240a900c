With ``parallel=N``, step groups run up to N of their steps at the same time, on one worker and under the same locks. This works with any released worker and every protocol.
