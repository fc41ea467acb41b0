"""The service that is scanned, as the environment names it: scripts/scan starts one and sets it."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request


def _required(name):
    """A variable of the environment; without it there is nothing to scan."""
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"{name} is not set: run scripts/scan, which starts a server and sets it")
    return value


HOST = _required("CUSTODIA_URL").rstrip("/")
OPERATIONS = _required("CUSTODIA_OPERATIONS").rstrip("/")
ORGANIZATION = _required("CUSTODIA_ORG")
TOKEN = _required("CUSTODIA_TOKEN")
USER = _required("CUSTODIA_USER")
PASSWORD = _required("CUSTODIA_PASSWORD")

ROOT = f"{HOST}/{ORGANIZATION}/api/data/v9.2"


class Answer:
    """What the service said: status, headers, body as bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def expect(self, what):
        """This answer, or the end of the program where it is no success."""
        if self.status >= 300:
            raise SystemExit(f"{what}: {self.status} {self.body[:500]!r}")
        return self


def ask(path, method="GET", body=None, headers=None):
    """Asks the Web API as the administrator. `path` is relative to the service root, with its query already encoded."""
    given = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json", **(headers or {})}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        given["Content-Type"] = "application/json"
    address = path if path.startswith("http") else f"{ROOT}/{path}"
    request = urllib.request.Request(address, data=data, headers=given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.headers, refused.read())


def encoded(**options):
    """A query of options whose names begin with `$` in the protocol: `encoded(top=1)` is `%24top=1`."""
    return urllib.parse.urlencode({f"${name}": value for name, value in options.items()})


def answered():
    """How many requests the service answered so far, by class of status, as it counts them itself."""
    text = urllib.request.urlopen(f"{OPERATIONS}/metrics", timeout=30).read().decode()
    counts = {}
    for line in text.splitlines():
        if line.startswith('custodia_http_requests_total{status="'):
            counts[line.split('"')[1]] = int(float(line.rsplit(" ", 1)[1]))
    return counts
