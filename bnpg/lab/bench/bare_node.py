"""A process of a bare topology: waits for so many messages, sends the last one on. Knows nothing but pyzmq.

`python bare_node.py AWAITS INBOX OUT OUT ..`: it ends with an empty message, or when its standard input ends.
"""

import os
import sys
import threading

import zmq


def main() -> None:
    """Pass messages on until an empty one comes."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    awaits, inbox, outs = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    context = zmq.Context()
    pull = context.socket(zmq.PULL)
    pull.bind(inbox)
    pushes = []
    for out in outs:
        push = context.socket(zmq.PUSH)
        push.connect(out)
        pushes.append(push)
    while True:
        for _ in range(awaits):
            message = pull.recv()
            if not message:
                context.destroy(linger=0)
                return
        for push in pushes:
            push.send(message)


def end_with_parent() -> None:
    """End this process when its standard input does, as when whoever started it is gone."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
