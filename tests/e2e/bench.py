"""What the end-to-end tests stand on: the program under test, and peers of it that we did not write.

Everything listens on a free loopback port, lives in a temporary folder and ends with its test.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import jsonschema
import paho.mqtt.client as mqtt

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DAVY = Path(os.environ.get("DAVY", ROOT / "target/release/davy")).resolve()
# Conditions are waited for; this only bounds a wait that will never end.
PATIENCE_S = 30


def wait_until(condition, what, patience_s=PATIENCE_S):
    """Waits until `condition()` is true and gives its value."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s} s in vain for: {what() if callable(what) else what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_open(port):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def davy(*args, **kwargs):
    """The program, run to its end."""
    kwargs.setdefault("text", True)
    kwargs.setdefault("timeout", 30)
    return subprocess.run([str(DAVY), *map(str, args)], capture_output=True, **kwargs)


class Process:
    """A child process that ends with its test."""

    def __init__(self, argv, log, env=None):
        self.log = Path(log)
        env = {**os.environ, **(env or {})}
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def terminate(self, patience_s=10):
        """Asks it to end; gives its exit code and how long it took."""
        begin = time.monotonic()
        self.popen.terminate()
        try:
            return self.popen.wait(patience_s), time.monotonic() - begin
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.popen.args} ignored SIGTERM for {patience_s} s") from None

    def said(self):
        return self.log.read_text(errors="replace")


class Mosquitto:
    """A real broker with persistence, on a port that it keeps over restarts."""

    def __init__(self, folder, start=True):
        self.port = free_port()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "mosquitto.conf"
        # Run by root it would become another user, who may not write here.
        user = "user root\n" if os.getuid() == 0 else ""
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self.folder}/\nmax_queued_messages 0\nmax_inflight_messages 0\n{user}"
        )
        self.process = None
        if start:
            self.start()

    def start(self):
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        assert Path(binary).exists(), "mosquitto is not installed: apt-get install mosquitto"
        self.process = Process([binary, "-c", str(self.config)], log=self.folder / "log")
        wait_until(lambda: is_open(self.port), "mosquitto listens")

    def restart(self):
        """SIGTERM: it saves what it holds, and reads that again."""
        self.process.terminate()
        self.start()

    def freeze(self):
        self.process.popen.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.popen.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process and self.process.alive():
            self.thaw()
            self.process.terminate()


class Subscriber:
    """paho, with a persistent session: what the broker has taken reaches it, restarts or not."""

    def __init__(self, port, topics=("#",), name="inspector"):
        self.messages = []
        self.lock = threading.Lock()
        self.ready = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self.client.on_connect = lambda client, *_: client.subscribe([(t, 1) for t in topics])
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._take
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(PATIENCE_S), "the subscriber did not get its subscription"

    def _take(self, _client, _userdata, message):
        with self.lock:
            self.messages.append((message.topic, message.payload, message.retain))

    def all(self):
        with self.lock:
            return list(self.messages)

    def lines(self):
        """The line of every event received, in the order of arrival, duplicates included."""
        return [payload for topic, payload, _ in self.all() if "/event/" in topic]

    def events(self, kind=None):
        events = [json.loads(line) for line in self.lines()]
        return [e for e in events if kind in (None, e["kind"])]

    def statuses(self):
        return [json.loads(p) for topic, p, _ in self.all() if topic.endswith("/status")]

    def wait_event(self, kind, patience_s=PATIENCE_S, **body):
        """The first event of `kind` whose body has these values."""

        def found():
            return next((e for e in self.events(kind) if body.items() <= e["body"].items()), None)

        def heard():
            return f"event {kind} with {body}; heard: {[(e['kind'], e['body']) for e in self.events()][-8:]}"

        return wait_until(found, heard, patience_s)

    def wait_state(self, topic_end, patience_s=PATIENCE_S):
        """The retained message on a topic that ends so, as one who comes late gets it."""
        found = lambda: next((json.loads(p) for t, p, r in self.all() if r and t.endswith(topic_end)), None)
        return wait_until(found, f"retained {topic_end}", patience_s)

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Davy:
    """The agent under test, from its own binary."""

    def __init__(self, folder, site, *args):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.config = self.folder / "site.toml"
        self.args = args
        self.process = None
        self.write(site)

    def write(self, site):
        self.config.write_text(site.replace("STATE", str(self.state)))

    def start(self):
        assert DAVY.exists(), f"{DAVY} is not built: cargo build --release"
        argv = [str(DAVY), "run", "--config", str(self.config), *self.args]
        self.process = Process(argv, log=self.folder / "davy.log")
        return self

    def await_start(self):
        """Waits until it serves its command socket."""
        wait_until(lambda: self.status() or not self.process.alive(), "the agent serves its socket")
        assert self.process.alive(), self.log()
        return self

    def signal(self, number):
        self.process.popen.send_signal(number)

    def log(self):
        return self.process.said()

    def order(self, *args):
        """`davy ack` and the like, for this agent."""
        return davy(*args, "--state", self.state)

    def status(self):
        done = self.order("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def _named(self, table, key, name):
        return next((row for row in (self.status() or {}).get(table, []) if row[key] == name), None)

    def point(self, name):
        return self._named("points", "id", name)

    def alarm(self, key):
        """An alarm that is not normal; `None` where it is."""
        return self._named("alarms", "key", key)

    def trip(self, name):
        return self._named("trips", "id", name)

    def device(self, name):
        return self._named("devices", "id", name)

    def wait_good(self, *points):
        for point in points:
            good = lambda: (self.point(point) or {}).get("quality") == "good"
            wait_until(good, lambda: f"{point} reads good, not {self.point(point)}: {self.log()[-2000:]}")

    def wait_alarm(self, key, patience_s=PATIENCE_S):
        what = lambda: f"alarm {key}; status {self.status()}; log {self.log()[-2000:]}"
        return wait_until(lambda: self.alarm(key), what, patience_s)

    def journal_lines(self):
        lines = []
        for path in sorted((self.state / "journal").glob("*.jsonl")):
            # An unfinished end is no line yet.
            lines += path.read_bytes().split(b"\n")[:-1]
        return lines

    def journal(self):
        """Every entry of the journal, checked: numbers without gaps, each with the hash of the line before."""
        lines = self.journal_lines()
        entries = [json.loads(line) for line in lines]
        for n, (line, entry) in enumerate(zip(lines, entries)):
            assert entry["seq"] == n + 1, f"entry {n + 1} has the number {entry['seq']}"
            if n:
                assert entry["prev"] == hashlib.sha256(lines[n - 1]).hexdigest(), f"chain broken at {entry['seq']}"
        return entries

    def recorded(self, kind, **body):
        """The entries of `kind` whose body has these values."""
        return [e for e in self.journal() if e["kind"] == kind and body.items() <= e["body"].items()]

    def wait_recorded(self, kind, patience_s=PATIENCE_S, **body):
        what = lambda: f"entry {kind} with {body}; journal ends {self.journal()[-5:]}; log {self.log()[-1500:]}"
        return wait_until(lambda: self.recorded(kind, **body), what, patience_s)[0]

    def end(self):
        """An orderly end: in time, without failure, and without a panic or an error on the way."""
        code, took_s = self.process.terminate()
        assert code == 0, self.log()
        assert took_s < 2.0, f"the end took {took_s:.2f} s"
        self.assert_sound()
        return took_s

    def assert_sound(self):
        assert "panicked" not in self.log(), self.log()

    def stop(self):
        if self.process and self.process.alive():
            self.process.kill()


class SmallDisk:
    """A state folder on a disk of its own that can be filled; where nothing may be mounted, one whose journal gets a file
    in the way of its folder, which refuses as well."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "davy-test", str(self.folder)]
        self.mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self):
        if not self.mounted:
            (self.folder / "journal").rename(self.folder / "journal.aside")
            (self.folder / "journal").write_text("in the way")
            return
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        if self.mounted:
            (self.folder / "ballast").unlink()
        else:
            (self.folder / "journal").unlink()
            (self.folder / "journal.aside").rename(self.folder / "journal")

    def stop(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class Peer:
    """A Modbus server in another process that takes orders on its standard input and says what was written."""

    def __init__(self, argv, folder):
        self.errors = Path(folder) / "peer.log"
        with open(self.errors, "ab") as errors:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
            )
        self.lines = []
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            listens = lambda: self.first("port ") or self.popen.poll() is not None
            wait_until(listens, "the Modbus server listens")
            assert self.popen.poll() is None, self.errors.read_text()
            self.port = int(self.first("port ").split()[1])
        except AssertionError:
            self.stop()
            raise

    def _read(self):
        for line in self.popen.stdout:
            with self.lock:
                self.lines.append((time.monotonic(), line.strip()))

    def said(self):
        with self.lock:
            return [line for _, line in self.lines]

    def first(self, prefix):
        return next((line for line in self.said() if line.startswith(prefix)), None)

    def coils(self):
        """What was written to coils, in order."""
        return [line for line in self.said() if line.startswith("coil ")]

    def gas(self, pct_lel, unit=1):
        self.order(f"gas {unit} {round(pct_lel * 10)}")

    def order(self, text):
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.reader.join()
        self.popen.stdin.close()
        self.popen.stdout.close()


class Messages:
    """The schema that the program prints of its messages, as the `jsonschema` package reads it."""

    def __init__(self):
        self.schema = json.loads(davy("schema", "--messages").stdout)
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def _check(self, payload, name):
        part = {**self.schema, "$ref": f"#/$defs/{name}"}
        part.pop("oneOf")
        jsonschema.Draft202012Validator(part).validate(payload)

    def check(self, topic, payload):
        """One message, by the rules that the schema states for its topic."""
        levels = topic.split("/")
        value = json.loads(payload)
        jsonschema.Draft202012Validator(self.schema).validate(value)
        assert levels[1] == "v1" and value["v"] == 1
        assert levels[2] == value["gateway"]
        match levels[3]:
            case "event":
                self._check(value, "event")
                assert levels[4] == value["body"].get("area", "-")
                assert levels[5] == value["kind"]
            case "unrecorded":
                self._check(value, "unrecorded")
                assert levels[4] == value["body"].get("area", "-")
                assert levels[5] == value["kind"]
            case "state":
                self._check(value, "event" if "seq" in value else "unrecorded")
                assert levels[4] == value["kind"]
                assert levels[5] == value["body"].get("key", value["body"].get("tag"))
            case "checkpoint":
                self._check(value, "event")
                assert value["kind"] == "checkpoint"
            case "status":
                self._check(value, "status")
            case "telemetry":
                self._check(value, "telemetry")
            case other:
                raise AssertionError(f"a topic that the schema does not describe: {topic} ({other})")


def first_copies(lines):
    """The first copy of each event in the order of arrival; a second copy must be the same, byte by byte."""
    seen = {}
    for line in lines:
        event = json.loads(line)
        name = (event["gateway"], event["seq"])
        assert seen.setdefault(name, line) == line, f"two different events are called {name}"
    return list(seen.values())
