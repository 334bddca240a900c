Who holds a lock shares it with what is nested in it: the steps and groups of a build, and the builds
that a ``Trigger`` step waits for.
