"""A kit for integration tests of message ordering, as a pytest plugin.

`plugin` has the fixtures, `run` a run with real processes, `in_memory` the same run in this process (the
oracle), `channel` and `fakes` peers under the control of a test, `processes` single real processes,
`scratch` a place in which nothing may be left behind. `docs/how-to/test-message-ordering.md` shows how to use
them.
"""
