"""Has a program run by the server beside it, with our arguments, environment, folder and standard files.

What interrupts us interrupts the program, and what kills us kills it; and we end as it ended.

Usage: command.py SOCKET toolcrib WORD… or: command.py SOCKET python FILE WORD…
"""

import _signal
import _socket  # without what `socket` imports: this program is only worth having while it starts at once
import os
import sys

server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect(sys.argv[1])
words = sys.argv[2:]
variables = [f"{name}={value}" for name, value in os.environ.items()]
request = "\0".join([str(len(words)), *words, os.getcwd(), *variables])
files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([os.fsencode(request)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
_signal.signal(_signal.SIGINT, lambda number, frame: server.send(bytes([number])))
by_signal, code = server.recv(2) or (0, 70)
if by_signal:
    os.kill(os.getpid(), code)
sys.exit(code)
