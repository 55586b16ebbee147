"""A crowd of strangers that connect: `Crowd("127.0.0.1:8765", 1500)`, or to the path of a Unix socket.

It is a process of its own, since it needs more descriptors than a test should have; it connects to loopback
only, a bounded number of times.
"""

import subprocess
import sys

PROGRAM = """
import resource, select, socket, sys
address, number, says = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
stays = sys.argv[4] == "stays"
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
local = address.startswith("/")
host, _, port = address.rpartition(":")
crowd = []
while number > 0:
    batch = {}
    pending = select.poll()
    for _ in range(min(100, number)):
        one = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
        one.setblocking(local)  # that of a Unix socket waits for room in the queue, and is there then
        one.settimeout(10.0 if local else 0.0)
        one.connect_ex(address if local else (host, int(port)))
        batch[one.fileno()] = one
        pending.register(one, select.POLLOUT)
    number -= len(batch)
    for descriptor, event in pending.poll(100):
        if says and not event & (select.POLLERR | select.POLLHUP):
            try:
                batch[descriptor].send(says)
            except OSError:
                pass  # it was sent away before
    if not stays:
        for one in batch.values():
            one.close()
    crowd += batch.values()
print(flush=True)
sys.stdin.read()
"""


class Crowd:
    """Connects as often as it is told to, and stays until it is told to leave.

    Parameters
    ----------
    address : str
        `HOST:PORT`, of version 4 of the internet, on loopback; or a path.
    number : int
    says : bytes
        What each of them says.
    stays : bool
        Whether they wait for an answer.
    """

    def __init__(self, address: str, number: int, says: bytes = b"", *, stays: bool = True) -> None:
        assert address.startswith(("127.", "/")), "a crowd stays on this machine"
        arguments = [address, str(number), says.hex(), "stays" if stays else "leaves"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def leave(self) -> None:
        """Close all connections."""
        if self._process.poll() is None:
            self._process.communicate()
