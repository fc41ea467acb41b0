"""The service with faults planted in front of it: everything is passed on to the real one, but for a few answers.

It shows that the scanners would find what they are meant to find. It is no part of the service: a program of its own, started
by scan.py alone, on loopback, with rows in memory.

- `$filter=name eq '…'` of accounts is put into a statement as it came: an injection.
- `accounts/$count` with `not (` in its filter answers 500.
- `contacts/$count` answers as HTML.
- `contacts` with `$top=3` answers 418, which no document knows.
"""

import http.client
import json
import re
import sqlite3
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from service import HOST, ORGANIZATION, ask, encoded

# Where they are.
FAULTY = tuple(f"/api/data/v9.2/{below}" for below in ("accounts", "accounts/$count", "contacts", "contacts/$count"))

EQUALS = re.compile(r"^name eq '(.*)'$", re.DOTALL)


class Planted(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    rows = None
    lock = threading.Lock()

    def log_message(self, *arguments):
        """Nothing: what is asked is the scanner's to tell."""

    def respond(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def injected(self, value):
        """The answer of a statement that is made of what a client sent."""
        try:
            with self.lock:
                found = self.rows.execute(f"SELECT accountid, name FROM account WHERE name = '{value}'").fetchall()
        except (sqlite3.Error, sqlite3.Warning):
            refused = {"error": {"code": "0x80060888", "message": "$filter: this is no condition"}}
            return self.respond(400, "application/json", json.dumps(refused).encode())
        page = {"value": [{"accountid": id, "name": name} for id, name in found]}
        return self.respond(200, "application/json; odata.metadata=minimal", json.dumps(page).encode())

    def planted(self):
        """Whether one of the faults answered."""
        if self.command != "GET":
            return False
        address = urllib.parse.urlsplit(self.path)
        options = dict(urllib.parse.parse_qsl(address.query))
        test = options.get("$filter", "")
        below = address.path.removeprefix(f"/{ORGANIZATION}/api/data/v9.2/")
        if below == "accounts" and EQUALS.match(test):
            self.injected(EQUALS.match(test).group(1))
        elif below == "accounts/$count" and "not (" in test:
            self.respond(500, "application/json", b'{"error":{"code":"0x80040216","message":"planted"}}')
        elif below == "contacts/$count":
            self.respond(200, "text/html", b"<p>59")
        elif below == "contacts" and options.get("$top") == "3":
            self.respond(418, "application/json", b'{"error":{"code":"0x0","message":"planted"}}')
        else:
            return False
        return True

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if self.planted():
            return
        behind = http.client.HTTPConnection(urllib.parse.urlsplit(HOST).netloc, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "host")}
        behind.request(self.command, self.path, body, headers)
        response = behind.getresponse()
        content = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "content-length"):
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in (204, 304):
            self.wfile.write(content)
        behind.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_TRACE = answer


class Server(ThreadingHTTPServer):
    """The service with its faults, for as long as a `with` lasts."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Planted)
        rows = ask(f"accounts?{encoded(select='accountid,name', top=20)}").expect("accounts").json()["value"]
        Planted.rows = sqlite3.connect(":memory:", check_same_thread=False)
        Planted.rows.execute("CREATE TABLE account (accountid TEXT, name TEXT)")
        Planted.rows.executemany(
            "INSERT INTO account VALUES (?, ?)", [(row["accountid"], row["name"]) for row in rows]
        )
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)
