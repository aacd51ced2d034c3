"""What stands between a daemon and a provider in tests of egress: an authority of our own, a provider behind TLS, and a proxy that
counts, refuses and misbehaves. Standard library and openssl only."""

import base64
import collections
import http.server
import json
import pathlib
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.parse

Seen = collections.namedtuple("Seen", "method target headers")


class Authority:
    """A certificate authority; `file` is what a client trusts."""

    def __init__(self, folder, name):
        self.folder, self.name = pathlib.Path(folder), name
        self.file, self.key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2000", "-keyout", self.key,
                     "-out", self.file, "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def context(self, names="DNS:localhost,DNS:api.provider.test,IP:127.0.0.1"):
        """A server's TLS with a certificate of this authority for `names`."""
        base = self.folder / f"{self.name}-server"
        key, request, certificate, extensions = (base.with_suffix(s) for s in (".key", ".csr", ".crt", ".ext"))
        extensions.write_text(f"subjectAltName={names}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=server")
        self.openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", "2000", "-out", certificate,
                     "-extfile", extensions)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


class Server(socketserver.ThreadingTCPServer):
    """A loopback listener, perhaps with TLS, that ends with `stop`."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, handler, context=None):
        self.context, self.accepted = context, 0
        super().__init__(("127.0.0.1", 0), handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def process_request(self, request, client_address):
        self.accepted += 1
        super().process_request(request, client_address)

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, request, client_address):
        pass  # a client that trusts another authority goes away in the middle of the handshake

    def stop(self):
        self.shutdown()
        self.server_close()


class Provider(Server):
    """Answers every GET with its path, and gives OAuth tokens. Counts connections in `accepted`, keeps requests in `seen`."""

    def __init__(self, context=None):
        self.seen, self.may_answer = [], threading.Event()
        self.may_answer.set()
        super().__init__(Provider.Handler, context)
        self.scheme = "https" if context else "http"

    def url(self, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}"

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            sent = self.rfile.read(length).decode()
            self.server.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.server.may_answer.wait(20)
            body = {"access_token": "token-of-" + urllib.parse.parse_qs(sent).get("client_id", ["basic"])[0], "expires_in": 3600} \
                if self.path == "/oauth/token" else {"path": self.path, "account": "acct"}
            body = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass


class Proxy(Server):
    """CONNECT, requests in the clear, and SOCKS5 on one port. All names lead to loopback: it is the proxy that resolves them."""

    def __init__(self, credentials=None, context=None):
        self.credentials, self.mode, self.seen = credentials, "works", []
        super().__init__(Proxy.Handler, context)
        self.scheme = "https" if context else "http"

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def targets(self):
        return [s.target for s in self.seen]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            first = self.request.recv(1)
            if self.server.mode == "hangs up" or not first:
                return
            if first == b"\x05":
                return self.socks()
            head = first
            while b"\r\n\r\n" not in head:
                piece = self.request.recv(65536)
                if not piece:
                    return
                head += piece
            head, rest = head.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
            self.server.seen.append(Seen(method, target, headers))
            if self.server.mode == "speaks nonsense":
                return self.request.sendall(b"\x15\x03\x01 220 mail.example ESMTP\r\n\r\n")
            if self.server.mode.isdigit():
                return self.request.sendall(f"HTTP/1.1 {self.server.mode} No\r\nContent-Length: 0\r\n\r\n".encode())
            wanted = self.server.credentials
            if wanted and headers.get("proxy-authorization") != "Basic " + base64.b64encode(wanted.encode()).decode():
                return self.request.sendall(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
            if method == "CONNECT":
                with socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1]))) as other:
                    self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self.pump(other)
                return
            parts = urllib.parse.urlsplit(target)
            kept = [line for line in lines[1:] if not line.lower().startswith("proxy-")]
            path = parts.path + ("?" + parts.query if parts.query else "")
            with socket.create_connection(("127.0.0.1", parts.port)) as other:
                other.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close"]).encode() + b"\r\n\r\n" + rest)
                self.pump(other)

        def socks(self):
            methods = self.request.recv(self.request.recv(1)[0])
            wanted = self.server.credentials
            user = None
            if wanted:
                if b"\x02" not in methods:
                    return self.request.sendall(b"\x05\xff")
                self.request.sendall(b"\x05\x02")
                self.request.recv(1)
                user = self.request.recv(self.request.recv(1)[0]).decode()
                user += ":" + self.request.recv(self.request.recv(1)[0]).decode()
                self.request.sendall(b"\x01\x00" if user == wanted else b"\x01\x01")
                if user != wanted:
                    return
            else:
                self.request.sendall(b"\x05\x00")
            kind = self.request.recv(4)[3]
            host = self.request.recv(self.request.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(self.request.recv(4))
            port = int.from_bytes(self.request.recv(2), "big")
            self.server.seen.append(Seen("SOCKS", f"{host}:{port}", {"user": user}))
            with socket.create_connection(("127.0.0.1", port)) as other:
                self.request.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
                self.pump(other)

        def pump(self, other):
            ends = {self.request: other, other: self.request}
            while True:
                # What TLS has already taken in does not show in select.
                waiting = [s for s in ends if isinstance(s, ssl.SSLSocket) and s.pending()]
                for one in waiting or select.select(list(ends), [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    ends[one].sendall(data)
