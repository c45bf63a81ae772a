"""Ports for servers that have to know theirs before they start."""

import random
import socket

# Below what the system itself hands out (`ip_local_port_range` begins at 32,768): a port from there, asked for and let go
# again, is what the next server that takes any port may be given, and then it answers in place of the one that was meant.
_OURS = range(20_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on; never the same twice, and never one that a server with port 0 gets."""
    while True:
        port = random.SystemRandom().choice(_OURS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
