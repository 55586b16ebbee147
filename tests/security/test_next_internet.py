"""IPv6 from end to end: keys, coordinator and inboxes on `tcp://[::1]`."""

import socket


def _port() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return int(probe.getsockname()[1])


def test_a_run_over_ipv6_ends_with_the_same_policy(secured, right_digest) -> None:
    secured.front = f"tcp://[::1]:{_port()}"
    secured.inboxes = dict.fromkeys(range(3), "tcp://[::1]:*")
    secured.start()
    assert secured.finish() == right_digest
    assert "not connected" not in "".join(secured.log(f"agent-{agent}") for agent in range(3))
