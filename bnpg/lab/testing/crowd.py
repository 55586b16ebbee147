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
returns = sys.argv[5] == "returns"
local = address.startswith("/")
host, _, port = address.rpartition(":")


def come():
    one = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
    # That of a Unix socket waits for room in the queue, and is there then. Who returns comes after the other:
    # of many at once those that find a full queue believe to be inside.
    one.settimeout(10.0 if local else 0.2 if returns else 0.0)
    one.connect_ex(address if local else (host, int(port)))
    one.setblocking(local)
    return one


def gone(one):
    if one is None:
        return True
    try:
        return not one.recv(1024)
    except BlockingIOError:
        return False
    except OSError:
        return True


def left():
    return select.select([sys.stdin], [], [], 0.0)[0]


crowd = []
if returns:
    print(flush=True)
    crowd = [None] * number
while returns and not left():
    for place, one in enumerate(crowd):
        if gone(one) and not left():
            if one is not None:
                one.close()
            crowd[place] = come()
    select.select([sys.stdin], [], [], 0.02)
while number > len(crowd):
    batch = {}
    pending = select.poll()
    for _ in range(min(100, number - len(crowd))):
        one = come()
        batch[one.fileno()] = one
        pending.register(one, select.POLLOUT)
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
if not returns:
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
    returns : bool
        Whether who is sent away comes again, as often as that happens; not to a Unix socket.
    """

    def __init__(
        self, address: str, number: int, says: bytes = b"", *, stays: bool = True, returns: bool = False
    ) -> None:
        assert address.startswith(("127.", "/")), "a crowd stays on this machine"
        assert stays or not returns, "who leaves is not sent away"
        arguments = [address, str(number), says.hex(), "stays" if stays else "leaves"]
        arguments.append("returns" if returns else "")
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def leave(self) -> None:
        """Close all connections."""
        if self._process.poll() is None:
            self._process.communicate()
