"""Site files with a line for each fault, and what watches them for what may never be seen."""

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/e2e"))

from bench import wait_until  # noqa: E402
from device import LIE  # noqa: E402
from sites import destination, detector, head, trip, valve  # noqa: E402

POLL_S, TIMEOUT_S = 0.5, 0.2
# So old may a Good value be: three polls, the back-off of a line that was lost, and the time to ask Davy for it.
FRESH_S = 3.0
FAULTY, NEIGHBOUR, VALVE = 1, 2, 3


def bus(name, link, poll_s=POLL_S, timeout_s=TIMEOUT_S):
    return f"""
[[bus]]
id = "{name}"
link = "{link}"
poll_ms = {round(poll_s * 1000)}
timeout_ms = {round(timeout_s * 1000)}
"""


def late(text, line, late_ms=400):
    """On a serial line the plan says how late an answer may come."""
    return text.replace('profile = "', f'latest_answer_ms = {late_ms}\nprofile = "') if line.kind != "tcp" else text


class Room:
    """One line: a head that is to fail, a healthy one that trips, and a valve."""

    def __init__(self, line, name, link, fault=None):
        self.line, self.name, self.link, self.fault = line, name, link, fault
        self.faulty, self.neighbour, self.valve = (line.unit(n) for n in (FAULTY, NEIGHBOUR, VALVE))

    def site(self):
        n = self.name
        return bus(n, self.link) + late(
            detector(f"{n}-1", n, FAULTY) + detector(f"{n}-2", n, NEIGHBOUR) + valve(n, n, VALVE, travel_s=1.0), self.line
        ) + trip([f"gas.{n}-2:trip"], n, name=f"t-{n}", bad_delay_s=60.0)

    def heads(self):
        return {f"gas.{self.name}-1": self.faulty, f"gas.{self.name}-2": self.neighbour}


class Watch:
    """Asks Davy again and again what it sees, and notes all that may never be seen."""

    def __init__(self, agent, rooms):
        self.agent, self.rooms = agent, rooms
        self.wrong, self.seen, self.last = [], 0, None
        self.ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended:
            asked = time.monotonic()
            status = self.agent.status()
            if status:
                self.look(status, asked)
                self.last = status
            time.sleep(0.05)

    def look(self, status, asked):
        # However long the answer and this thread have taken, the values are as old as the question at most.
        recent = FRESH_S + time.monotonic() - asked
        points = {p["id"]: p for p in status["points"]}
        elements = {e["id"]: e for e in status["elements"]}
        for room in self.rooms:
            for name, unit in room.heads().items():
                point = points[name]
                if point["quality"] != "good":
                    continue
                self.seen += 1
                raw = round(point["value"] * 10)
                if raw == LIE or not unit.had(raw, recent):
                    self.wrong.append((room.fault, f"{name} reads {point['value']} as good, which it never was"))
            element = elements[room.name]
            if element["phase"] in ("commanded", "confirmed") and not room.valve.coil:
                self.wrong.append((room.fault, f"{element} is believed, and the coil is not set"))

    def figures(self, room, number):
        [line] = [line for line in self.last["lines"] if line["id"] == room.name]
        return line, next(unit for unit in line["units"] if unit["unit"] == number)

    def stop(self):
        self.ended = True
        self.thread.join()

    def end(self):
        self.stop()
        assert self.seen > 0, "nothing was ever good"
        assert not self.wrong, self.wrong[:10]


def troubles(line, unit):
    """Everything that was counted against a unit and its line."""
    own = unit["no_reply"] + unit["garbled"] + unit["exceptions"] + unit["down"] + unit["damaged"]
    return own + sum(line["stray"].values())


def each(rooms, condition, what, patience_s):
    """Waits until the condition holds in every room; says in which it does not."""
    left = lambda: [room.fault for room in rooms if not condition(room)]
    wait_until(lambda: not left(), lambda: f"{what}; not so after: {left()}", patience_s)


def all_good(watch, rooms, patience_s):
    def good():
        points = {p["id"]: p["quality"] for p in (watch.last or {}).get("points", [])}
        return [n for room in rooms for n in room.heads() if points.get(n) != "good"]

    wait_until(lambda: watch.last and not good(), lambda: f"all read good; not: {good()}", patience_s)
