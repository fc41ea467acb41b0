"""Lets schemathesis and sqlmap loose on the running service, signed in as an administrator, and judges what they tell.

usage: scan.py --engine sqlite|postgres [--minutes N]    without minutes a short run, as `make test` has it

Planted faults (planted.py) have to be found with the same settings first; then the service itself has to show none. The last
lines begin with `soak:` and are what docs/soak.md keeps. Ends with 1 where something was found, or where too little was asked.
"""

import argparse
import collections
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

import description
import planted
import points
import samples
from service import HOST, ORGANIZATION, TOKEN, answered, ask, encoded

HERE = pathlib.Path(__file__).parent
PROGRAMS = pathlib.Path(sys.executable).parent

# The share of routes that have to be reached, and of calls with fitting data that have to succeed.
REACHED, SUCCEEDED = 0.95, 0.5

CHECKS = (
    "nothing_breaks,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
)


class Calls:
    """What the calls of a run of schemathesis came to."""

    def __init__(self, clean, output, calls):
        self.clean, self.output, self.calls = clean, output, calls

    def __add__(self, other):
        return Calls(self.clean and other.clean, self.output + other.output, self.calls + other.calls)

    def routes(self):
        """By route, the statuses that it answered."""
        found = collections.defaultdict(collections.Counter)
        for call in self.calls:
            method = call["route"].split(" ", 1)[0]
            if call["method"].upper() == method:
                found[call["route"]][call["status"]] += 1
        return found

    def fitting(self):
        """The calls with data as the document asks for it."""
        return [call for call in self.calls if call["mode"] == "positive"]

    def count(self, status):
        return sum(call["status"] == status for call in self.calls)

    def failures(self):
        """The titles of what schemathesis found."""
        return re.findall(r"^- (.+)$", self.output, re.MULTILINE)


def run_schemathesis(document, folder, host, *options):
    """Runs schemathesis on the service at `host`."""
    calls = folder / "calls.jsonl"
    calls.write_text("")
    command = [
        PROGRAMS / "schemathesis", "run", document, "--url", f"{host}/{ORGANIZATION}",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", CHECKS, "--no-color", "--continue-on-failure",
        "--warnings", "off", "--no-shrink", "--generation-database", "none", "--suppress-health-check", "all",
        "--request-timeout", "60", *options,
    ]  # fmt: skip
    surroundings = {
        **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "CALLS": str(calls), "PYTHONPATH": str(HERE), "HOME": str(folder),
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"schemathesis ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return Calls(done.returncode == 0, done.stdout, [json.loads(line) for line in calls.read_text().splitlines()])


class Looked:
    """What a run of sqlmap came to."""

    def __init__(self, point, output):
        self.point, self.output = point, output
        self.found = "sqlmap identified the following injection point" in output or "is vulnerable" in output
        self.done = self.found or "do not appear to be injectable" in output
        self.statuses = {
            int(status): int(times) for status, times in re.findall(r"(\d{3}) \([^)]*\) - (\d+) times", output)
        }


def run_sqlmap(point, folder, host, engine, thorough):
    """Looks for an injection at one point."""
    request = folder / "request.txt"
    request.write_bytes(point.request(urllib.parse.urlsplit(host).netloc).encode())
    level, risk = ("3", "2") if thorough else ("1", "1")
    command = [
        PROGRAMS / "sqlmap", "-r", request, "--batch", "--flush-session", "--output-dir", folder / "sqlmap",
        "--dbms", {"sqlite": "SQLite", "postgres": "PostgreSQL"}[engine], "--level", level, "--risk", risk,
        "--time-sec", "2", "--timeout", "30", "--retries", "1", "--disable-coloring",
        "--ignore-code", "*", "--answers", "custom injection=Y,JSON data=Y,SOAP=Y,follow=N",
    ]  # fmt: skip
    surroundings = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        command, env=surroundings, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return Looked(point, done.stdout + done.stderr)


def planted_faults(document, folder, place):
    """Shows that what is planted is found, with the settings of the short run."""
    with planted.Server() as server:
        told = run_schemathesis(
            document, folder, server.url, "--phases", "coverage,fuzzing", "--mode", "positive", "--max-examples", "5",
            "--seed", "1", *(option for path in planted.FAULTY for option in ("--include-path", path)),
        )  # fmt: skip
        for wanted in ("A fault of the service", "Undocumented status code", "Undocumented Content-Type"):
            if not any(wanted in failure for failure in told.failures()):
                raise SystemExit(f"schemathesis did not find what is planted: {wanted}\n{told.output[-6000:]}")
        looked = run_sqlmap(place, folder, server.url, "sqlite", thorough=False)
        if not looked.found:
            raise SystemExit(f"sqlmap did not find the injection that is planted:\n{looked.output[-6000:]}")
    print("-- planted: an injection, a fault, an undocumented status and an undocumented type, all found", flush=True)


def call_everything(told, document, folder, minutes):
    """Runs schemathesis on the service; what is wrong, and what is to be kept of it."""
    before, begun = answered(), time.monotonic()
    if minutes:
        options = ["--phases", "coverage,fuzzing", "--mode", "all", "--max-examples", "20", "--max-time", str(minutes * 60)]
        calls = run_schemathesis(document, folder, HOST, *options)
    else:
        # The same calls each time: a check of every change is no place for luck.
        seed = ["--seed", "1"]
        once = [*seed, "--phases", "fuzzing", "--mode", "positive", "--max-examples", "1"]
        unfitting = [*seed, "--phases", "coverage", "--mode", "all"]
        unfitting += [option for tag in ("service", "sign-in", "descriptions") for option in ("--include-tag", tag)]
        calls = run_schemathesis(document, folder, HOST, *once) + run_schemathesis(document, folder, HOST, *unfitting)
    seconds = time.monotonic() - begun
    faults = []
    if not calls.clean:
        print(calls.output)
        faults.append(f"schemathesis has findings: {sorted(set(calls.failures())) or 'see above'}")

    routes = [f"{method.upper()} {path}" for path, ways in told["paths"].items() for method in ways]
    answers = calls.routes()
    # A route is reached when it did what it is for, or refused for a reason of its own: not for the address or the method.
    reached = [route for route in routes if any(status not in (401, 404, 405) for status in answers[route])]
    missed = sorted(set(routes) - set(reached))
    if len(reached) < REACHED * len(routes):
        faults.append(f"only {len(reached)} of {len(routes)} routes were reached; not {', '.join(missed)}")

    fitting = calls.fitting()
    succeeded = sum(call["status"] < 400 for call in fitting)
    if succeeded < SUCCEEDED * len(fitting) or not fitting:
        faults.append(f"only {succeeded} of {len(fitting)} calls with fitting data succeeded")

    # What the service counted itself: an answer that the scanner gave up on would be missing from its own list.
    broken = answered()["5xx"] - before["5xx"] - calls.count(501)
    if broken:
        faults.append(f"the service counted {broken} answers of 5xx that are no 501")
    refused = collections.Counter(call["status"] for call in calls.calls if call["status"] >= 400)
    line = (
        f"schemathesis {version('schemathesis')}: {len(calls.calls)} calls in {seconds:.0f} s, "
        f"{len(reached)} of {len(routes)} routes reached, {succeeded} of {len(fitting)} calls with fitting data succeeded, "
        f"{calls.count(501)} times 501, {broken} other 5xx"
    )
    print(f"-- {line}\n   refusals by status: {dict(sorted(refused.items()))}\n   not reached: {missed}", flush=True)
    return faults, line


def look_for_injections(places, folder, engine, thorough):
    """Runs sqlmap on the service; what is wrong, and what was done, counted."""
    before, begun = answered(), time.monotonic()
    faults, done = [], collections.Counter(places=len(places))
    for place in places:
        looked = run_sqlmap(place, folder, HOST, engine, thorough)
        done["501"] += looked.statuses.get(501, 0)
        done["injections"] += looked.found
        if looked.found or not looked.done:
            print(looked.output[-6000:])
            faults.append(f"sqlmap on {place.name}: {'an injection' if looked.found else 'it did not come to an end'}")
    after = answered()
    done["broken"] = after["5xx"] - before["5xx"] - done["501"]
    if done["broken"]:
        faults.append(f"the service counted {done['broken']} answers of 5xx to sqlmap that are no 501")
    done["requests"] = sum(after.values()) - sum(before.values())
    done["seconds"] = round(time.monotonic() - begun)
    return faults, done


def version(package):
    return importlib.metadata.version(package)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("sqlite", "postgres"), required=True)
    parser.add_argument("--minutes", type=int, default=0)
    given = parser.parse_args()

    tables = samples.read_tables()
    kept = samples.keep(tables)
    told = description.described(tables, kept, set(tables) if given.minutes else None)
    oldest = f"accounts?{encoded(select='accountid,name', top=1, orderby='createdon,accountid')}"
    row = ask(oldest).expect("an account").json()["value"][0]
    places = points.points(tables, {**row, "caller": kept["user"]})
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        document = folder / "openapi.json"
        document.write_text(json.dumps(told))
        planted_faults(document, folder, places[0])
        chosen = [place for place in places if given.minutes or place.short]
        # First sqlmap, whose requests have to succeed as they are: schemathesis changes and deletes what it meets. Guessing at
        # sign-in comes last, since it is slowed down.
        thorough = bool(given.minutes)
        inside, signing_in = ([place for place in chosen if place.signed_in is signed_in] for signed_in in (True, False))
        found, done = look_for_injections(inside, folder, given.engine, thorough)
        wrong, called = call_everything(told, document, folder, given.minutes)
        more, rest = look_for_injections(signing_in, folder, given.engine, thorough)
    done += rest
    faults = found + wrong + more
    looked = (
        f"sqlmap {version('sqlmap')} (level {3 if thorough else 1}): {done['places']} places, {done['requests']} requests in "
        f"{done['seconds']} s, {done['injections']} injections, {done['501']} times 501, {done['broken']} other 5xx"
    )
    for fault in faults:
        print(f"FOUND: {fault}")
    print(f"soak: {looked}; {called}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
