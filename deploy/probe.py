#!/opt/bnpg/bin/python3
"""Health check of a container: asks the process in it for /health. Exit 0 healthy, 1 not.

    probe.py [PORT [TOKEN-FILE]]

A bare socket, because this runs every few seconds in every container and an HTTP library takes longer to
load than everything else together.
"""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
request = "GET /health HTTP/1.0\r\n"
try:
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="ascii") as file:
            request += f"Authorization: Bearer {file.read().strip()}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        connection.sendall(f"{request}\r\n".encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
except OSError as error:
    print(f"no answer at port {port}: {error}")
    sys.exit(1)
head, _, body = answer.partition(b"\r\n\r\n")
print(body.decode(errors="replace"))
sys.exit(0 if b" 200 " in head.split(b"\r\n")[0] else 1)
