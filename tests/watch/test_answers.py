"""What anybody may answer at an address: it is a line, and ends nothing."""

import socket
import threading

import pytest

from bnpg.watch.answers import fetch


def test_a_length_beyond_all_sizes_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(OSError, match="no answer over HTTP"):
            fetch(f"127.0.0.1:{server.getsockname()[1]}", "/status.json")
        answering.join()
