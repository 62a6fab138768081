"""The real program against peers that we did not write: Mosquitto, pymodbus, libmodbus, paho.

Everything listens on free loopback ports, lives in temporary folders and ends with its test.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

HERE = Path(__file__).parent
DAVY = Path(os.environ.get("DAVY", HERE.parents[1] / "target/release/davy")).resolve()
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
            raise AssertionError(f"waited {patience_s} s in vain for: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_open(port):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child process that ends with its test."""

    def __init__(self, argv, **kwargs):
        self.log = kwargs.pop("log", None)
        out = open(self.log, "ab") if self.log else subprocess.DEVNULL
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kwargs)

    def alive(self):
        return self.popen.poll() is None

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def terminate(self, patience_s=10):
        self.popen.terminate()
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.popen.args} ignored SIGTERM for {patience_s} s")

    def said(self):
        return Path(self.log).read_text(errors="replace") if self.log else ""


class Mosquitto:
    """A real broker with persistence, on a port that it keeps over restarts."""

    def __init__(self, folder):
        self.port = free_port()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self.folder}/\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n"
        )
        self.start()

    def start(self):
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        assert Path(binary).exists(), "mosquitto is not installed: apt-get install mosquitto"
        self.process = Process([binary, "-c", str(self.config)], log=self.folder / "log")
        wait_until(lambda: is_open(self.port), "mosquitto listens")

    def restart(self):
        self.process.terminate()
        self.start()

    def stop(self):
        if self.process.alive():
            self.process.terminate()


class Subscriber:
    """paho, with a persistent session: what the broker has taken reaches it, restarts or not."""

    def __init__(self, port, topics=("#",)):
        self.messages = []
        self.lock = threading.Lock()
        self.topics = topics
        self.ready = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="inspector", clean_session=False)
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

    def events(self):
        """Every event received, in the order of arrival, duplicates included."""
        return [json.loads(p) for t, p, _ in self.all() if "/event/" in t]

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Davy:
    """The agent under test, from its own binary."""

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.config = self.folder / "site.toml"
        self.config.write_text(config)
        self.process = None

    def start(self):
        assert DAVY.exists(), f"{DAVY} is not built: cargo build --release"
        self.process = Process([str(DAVY), "run", "--config", str(self.config)], log=self.folder / "davy.log")
        return self

    def cli(self, *args, **kwargs):
        return subprocess.run([str(DAVY), *args], capture_output=True, text=True, timeout=20, **kwargs)

    def status(self):
        done = self.cli("status", "--json", "--state", str(self.state))
        return json.loads(done.stdout) if done.returncode == 0 else None

    def point(self, tag):
        status = self.status()
        return next(p for p in status["points"] if p["id"] == tag) if status else None

    def journal(self):
        """Every line of the journal, checked: sequence without gaps, each holding the hash of the one before."""
        lines = []
        for path in sorted((self.state / "journal").glob("*.jsonl")):
            lines += path.read_bytes().splitlines()
        entries = [json.loads(line) for line in lines]
        for n, (line, entry) in enumerate(zip(lines, entries)):
            assert entry["seq"] == n + 1, f"entry {n + 1} has the number {entry['seq']}"
            if n:
                assert entry["prev"] == hashlib.sha256(lines[n - 1]).hexdigest(), f"chain broken at {entry['seq']}"
        return entries

    def stop(self):
        if self.process and self.process.alive():
            return self.process.terminate()
        return None


@pytest.fixture
def bench(tmp_path):
    """Takes what a test starts, and ends it in reverse order."""
    started = []

    class Bench:
        folder = tmp_path

        def add(self, thing):
            started.append(thing)
            return thing

        def mosquitto(self):
            return self.add(Mosquitto(tmp_path / "mosquitto"))

        def subscriber(self, port, topics=("#",)):
            return self.add(Subscriber(port, topics))

        def davy(self, config):
            return self.add(Davy(tmp_path, config.replace("STATE", str(tmp_path / "state"))))

        def peer(self, *argv):
            return self.add(Peer(argv))

    yield Bench()
    for thing in reversed(started):
        thing.stop()


class Peer:
    """A Modbus server in another process that takes orders on its standard input and says what was written."""

    def __init__(self, argv):
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lines = []
        self.lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(wait_until(lambda: self.first("port "), "the Modbus server listens").split()[1])

    def _read(self):
        for line in self.popen.stdout:
            with self.lock:
                self.lines.append(line.strip())

    def said(self):
        with self.lock:
            return list(self.lines)

    def first(self, prefix):
        return next((line for line in self.said() if line.startswith(prefix)), None)

    def order(self, text):
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


@pytest.fixture(scope="session")
def libmodbus(tmp_path_factory):
    """A server made of libmodbus, compiled here."""
    binary = tmp_path_factory.mktemp("libmodbus") / "server"
    source = HERE / "libmodbus_server.c"
    command = ["cc", "-O1", "-Wall", "-I/usr/include/modbus", str(source), "-o", str(binary), "-lmodbus"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"libmodbus server does not compile (apt-get install libmodbus-dev): {done.stderr}"
    return [str(binary)]


@pytest.fixture
def pymodbus_server():
    return [sys.executable, str(HERE / "pymodbus_server.py")]
