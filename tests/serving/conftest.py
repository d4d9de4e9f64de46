from served_run import colour_run, server  # noqa: F401  fixtures
