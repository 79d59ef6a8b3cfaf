"""The only way out, where one was granted: a relay from loopback to the host's proxy on a unix socket."""

from __future__ import annotations

import os
import resource
import socket

from toolcrib_sandbox.guest.channel import Channel

__all__ = ["PROXY", "RELAY_PORT", "start_relay"]

RELAY_PORT = 3128
PROXY = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), f"http://127.0.0.1:{RELAY_PORT}"
)
"""What tells programs of it, in their environment."""


def start_relay(path: str, channel: Channel) -> int:
    """Start it in a process of its own, listening when this returns; its pid."""
    listener = socket.create_server(("127.0.0.1", RELAY_PORT), backlog=64)
    pid = os.fork()
    if pid:
        listener.close()
        return pid
    import threading  # here only: a process that has it forks at twice the price

    try:
        os.close(channel.into)
        os.close(channel.out)
        os.closerange(3, listener.fileno())
        os.closerange(listener.fileno() + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        while True:
            inner, _ = listener.accept()
            threading.Thread(target=_serve, args=(inner, path), daemon=True).start()
    finally:
        os._exit(0)


def _serve(inner: socket.socket, path: str) -> None:
    import threading

    outer = socket.socket(socket.AF_UNIX)
    try:
        outer.connect(path)
    except OSError:
        inner.close()
        return
    threading.Thread(target=_pump, args=(inner, outer), daemon=True).start()
    _pump(outer, inner)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()
