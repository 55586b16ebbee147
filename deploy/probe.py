#!/opt/bnpg/bin/python3
"""Health check of a container: asks the process in it for /health. Exit 0 healthy, 1 not.

A bare socket, because this runs every few seconds in every container and an HTTP library takes longer to
load than everything else together.
"""

import socket
import sys

ADDRESS = ("127.0.0.1", 9000)

try:
    with socket.create_connection(ADDRESS, timeout=3) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
except OSError as error:
    print(f"no answer at {ADDRESS}: {error}")
    sys.exit(1)
head, _, body = answer.partition(b"\r\n\r\n")
print(body.decode(errors="replace"))
sys.exit(0 if b" 200 " in head.split(b"\r\n")[0] else 1)
