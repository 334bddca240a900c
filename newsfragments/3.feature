Locks stand on a new rule: all locks of a list are claimed at once or none; priority, then arrival
decides; a large or exclusive claim is not overtaken; who waits for several locks is overtaken a bounded
number of times; and what it costs does not grow with the number of those who wait.
