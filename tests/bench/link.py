# SPDX-License-Identifier: Apache-2.0
"""A link of so many bytes a second, in all, to a server on this machine: link.py PORT BYTES-A-SECOND. Prints the port that it listens on."""
import socket
import sys
import threading
import time

PIECE = 32 << 10
BURST = 0.002  # seconds that the link may have stood idle and make up for


class Clock:
    """When the next piece may pass."""

    def __init__(self, rate):
        self.rate, self.free, self.lock = rate, 0.0, threading.Lock()

    def wait(self, size):
        with self.lock:
            self.free = max(self.free, time.monotonic() - BURST) + size / self.rate
            until = self.free
        time.sleep(max(0, until - time.monotonic()))


def carry(source, target, clock):
    try:
        while data := source.recv(PIECE):
            if clock:
                clock.wait(len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has gone, and the other one will


def main():
    port, clock = int(sys.argv[1]), Clock(float(sys.argv[2]))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What the kernel holds of a reply has not passed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PIECE)
        for pair in ((client, server, None), (server, client, clock)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


main()
