The locks of a builder are claimed before a build begins, so no build begins, and no worker is taken,
only to wait for them. A lock that is let go, by a build or by a step, wakes the builders whose requests
it kept waiting.
