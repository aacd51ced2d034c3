"""Servers that misbehave on purpose, byte by byte, and certificates that are wrong on purpose. Standard library and openssl only."""

import contextlib
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib


class Peer:
    """One connection of a hostile server."""

    def __init__(self, sock):
        self.sock = sock

    def request(self):
        """Method, path, header block and body of the next request; None at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return None
            data += more
            if data[0] == 22:  # TLS where none is spoken: what servers say to that
                self.answer(400, "bad request")
                return None
        head, body = data.split(b"\r\n\r\n", 1)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.sock.recv(65536)
        method, path = head.split(b" ")[:2]
        return method.decode(), path.decode(), head, body

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else body.encode()
        fields = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.send(f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items()) + "\r\n")
        self.send(body)

    def json(self, text, status=200, **headers):
        self.answer(status, text, Content_Type="application/json", **headers)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hold(self):
        """Says nothing until the other side goes."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


class Hostile:
    """A listener whose connections are served by `script(peer, method, path, head, body)`, called per request; returning False ends one.
    Counts connections and keeps what was asked."""

    def __init__(self, script, tls=None, address="127.0.0.1", port=0):
        self.script, self.tls = script, tls
        self.connections, self.asked, self.open = 0, [], set()
        self.listener = socket.create_server((address, port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://{address}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError, ValueError), contextlib.closing(sock):
            peer = Peer(self.tls.wrap_socket(sock, server_side=True) if self.tls else sock)
            while (request := peer.request()) is not None:
                self.asked.append(request)
                if self.script(peer, *request) is False:
                    # Closed with nothing unread, or the other side would see a reset in place of the end.
                    peer.sock.shutdown(socket.SHUT_WR)
                    peer.hold()
                    return
        self.open.discard(sock)

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def bomb(mebibytes=256):
    """Gzip of that many MiB of blanks, some thousandth of it long."""
    out, blanks = zlib.compressobj(9, wbits=31), b" " * (1 << 20)
    return b"".join(out.compress(blanks) for _ in range(mebibytes)) + out.flush()


def drip(peer, data, seconds):
    """A byte every so many seconds."""
    for byte in data if isinstance(data, bytes) else data.encode():
        peer.send(bytes([byte]))
        time.sleep(seconds)


class Certificates:
    """An authority of its own, and what it signs: right, expired, for another host; and one that signed itself."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("req", "-x509", *self.key("ca"), "-days", "30", "-subj", "/CN=test authority", "-out", "ca.pem")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\nunique_subject=no\n"
            "copy_extensions=copy\n[any]\ncommonName=supplied\n")
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("1000\n")
        self.leaf("good", "IP:127.0.0.1")
        self.leaf("elsewhere", "DNS:elsewhere.example,IP:192.0.2.1")
        self.leaf("expired", "IP:127.0.0.1", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
        self.leaf("early", "IP:127.0.0.1", "-startdate", "20990101000000Z", "-enddate", "20990201000000Z")
        self.run("req", "-x509", *self.key("self"), "-days", "30", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", "self.pem")

    def key(self, name):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"

    def leaf(self, name, alternative, *dates):
        self.run("req", *self.key(name), "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", "-out", f"{name}.csr")
        self.run("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", *(dates or ("-days", "30")),
                 "-in", f"{name}.csr", "-out", f"{name}.pem")

    def run(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stderr)

    @property
    def authority(self):
        return self.folder / "ca.pem"

    def server(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@contextlib.contextmanager
def undisturbed(test, call, is_good, workers, within):
    """Another connection of the same plugin is answered all the while, each time within so many seconds, by the same workers.

    `call()` answers what came and how long it took, `is_good` tells whether that is what should come, `workers()` who works."""
    stop, times, bad = threading.Event(), [], []

    def go():
        while not stop.is_set() or len(times) < 6:
            answer, seconds = call()
            times.append(seconds)
            if answer.status != 200 or not is_good(answer):
                bad.append(answer)
            time.sleep(0.01)
    before, thread = workers(), threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    test.assertEqual(bad, [])
    test.assertLess(max(times), within, "another connection was slowed down")
    test.assertEqual(workers(), before, "a worker was ended")
