"""Serves a Roundup tracker on a free loopback port: a program of its own, ended through its pid.

    python -m toolcrib_itsm.testing._tracker_server FOLDER

It writes the port into the tracker's config before the tracker is opened, since Roundup checks where a
request says that it comes from, and then prints it.
"""

from __future__ import annotations

import re
import socketserver
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

__all__ = ["main"]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests read what comes back."""


def main() -> None:
    """Serve until killed."""
    home = Path(sys.argv[1])
    server = _Server(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    config = home / "config.ini"
    text = re.sub(r"(?m)^web = .*$", f"web = http://127.0.0.1:{port}/", config.read_text("utf-8"))
    config.write_text(text, "utf-8")
    from roundup.cgi.wsgi_handler import RequestDispatcher  # type: ignore[import-untyped]

    server.set_app(RequestDispatcher(str(home)))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
