"""HTTP by hand over a raw socket: what a client library would never send."""

import errno
import socket
import time
import urllib.parse

from rig import Answer


class Wire:
    """One connection to the public listener (URL) or to a Unix socket (path)."""

    def __init__(self, place, timeout=20):
        if str(place).startswith("http"):
            parts = urllib.parse.urlsplit(place)
            self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(str(place))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *lines, body=b""):
        """Head lines and a body; the empty line is added."""
        head = b"".join((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n" for line in lines)
        return self.raw(head + b"\r\n" + body)

    def raw(self, data):
        """Bytes as they are; False when the peer is gone."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def end(self):
        """No more from this side. A peer that has refused what it read so far may be gone already; what it answered can still be read."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.ECONNRESET):
                raise

    def _fill(self):
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.buffer += piece
        return bool(piece)

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._fill():
                return None
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def answer(self):
        """The next answer; None when the connection ends first."""
        status = self._line()
        if status is None:
            return None
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        code = int(status.split()[1])
        length = 0 if code in (100, 204) else int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self._fill():
                break
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(code, headers, body)

    def is_ended(self):
        """Waits until the peer ends the connection; answers the seconds it took. Bytes on the way are kept."""
        began = time.monotonic()
        while self._fill():
            pass
        return time.monotonic() - began
