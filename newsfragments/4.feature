Step groups run up to N of their steps at a time with ``parallel=N``, on one worker and under one ownership. Any released worker will do, by each of the protocols.
