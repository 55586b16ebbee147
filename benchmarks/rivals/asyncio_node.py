"""A process of a ring on zmq.asyncio, with the arguments of `bnpg.lab.bench.bare_node`."""

import asyncio
import sys
import threading

import zmq.asyncio

from bnpg.lab.bench.bare_node import end_with_parent


async def main() -> None:
    """Pass messages on until an empty one comes."""
    awaits, inbox, outs = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    context = zmq.asyncio.Context()
    pull = context.socket(zmq.PULL)
    pull.bind(inbox)
    pushes = []
    for out in outs:
        push = context.socket(zmq.PUSH)
        push.connect(out)
        pushes.append(push)
    while True:
        for _ in range(awaits):
            message = await pull.recv()
            if not message:
                context.destroy(linger=0)
                return
        for push in pushes:
            await push.send(message)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(main())
