"""The invented provider of the C template, with lists that a test changes, stops and breaks, and the template as a bundle."""

import http.server
import json
import threading
import urllib.parse

from cplugin import SDK, bundle


class Phonebox:
    """Twenty calls a page, from a list that may change between requests."""

    PAGE = 20

    def __init__(self, count=45):
        self.calls = [f"pb-{n}" for n in range(count)]
        self.requests = []
        # Page number: (status, headers) answered instead, or an event that the answer waits for.
        self.refusals, self.gates = {}, {}
        # Page number: the next one it names, instead of what comes next.
        self.nexts = {}
        self.waiting = threading.Event()
        phonebox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                phonebox.answer(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        for gate in self.gates.values():
            gate.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        page = int(urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query).get("page", ["1"])[0])
        self.requests.append(page)
        if gate := self.gates.get(page):
            self.waiting.set()
            gate.wait(60)
        status, headers = self.refusals.get(page, (200, {}))
        part = self.calls[(page - 1) * self.PAGE:page * self.PAGE]
        calls = [{"id": call, "from": "+12025550143", "to": "+18885550199", "seconds": 5} for call in part]
        follows = page + 1 if page * self.PAGE < len(self.calls) else None
        body = json.dumps({"calls": calls, "next": self.nexts.get(page, follows)}).encode()
        try:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the daemon was killed, or its run cancelled, meanwhile

    def connection(self, name, **changes):
        body = {"provider": "phonebox", "name": name, "base_url": self.url, "credentials": {"kind": "api_key", "token": "phonebox-secret"}}
        body.update(changes)
        return body


def template(folder, change=lambda text: text):
    """The template's bundle below `folder`; `change` edits its manifest."""
    text = (SDK / "template" / "plugin.toml").read_text()
    begin, end = text.index("[library]"), text.index("[http]")
    return bundle(folder, "phonebox", SDK / "template" / "phonebox.c", change(text[:begin] + text[end:]))
