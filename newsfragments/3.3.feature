Builds that would wait for one another for ever are found: the step that closes the circle fails and
says who waits for what.
