"""Fixtures. What they give is in `bench.py` and `plant.py`."""

import subprocess
import sys

import pytest
from bench import HERE, Davy, Messages, Mosquitto, Peer, SmallDisk, Subscriber
from plant import Plant


class Bench:
    """Takes what a test starts, and ends it in reverse order."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def add(self, thing):
        self.started.append(thing)
        return thing

    def mosquitto(self, start=True):
        return self.add(Mosquitto(self.folder / "mosquitto", start))

    def subscriber(self, port, topics=("#",), name="inspector"):
        return self.add(Subscriber(port, topics, name))

    def davy(self, site, *args, folder="agent"):
        folder = self.folder / folder
        folder.mkdir(exist_ok=True)
        return self.add(Davy(folder, site, *args))

    def small_disk(self, folder="agent"):
        """Under the state folder of the agent that will live in `folder`."""
        return self.add(SmallDisk(self.folder / folder / "state"))

    def peer(self, argv):
        return self.add(Peer(argv, self.folder))

    def plant(self):
        return self.add(Plant())


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for thing in reversed(bench.started):
        thing.stop()


@pytest.fixture(scope="session")
def messages():
    return Messages()


@pytest.fixture(scope="session")
def libmodbus_server(tmp_path_factory):
    """A server made of libmodbus, compiled here."""
    binary = tmp_path_factory.mktemp("libmodbus") / "server"
    source = HERE / "libmodbus_server.c"
    command = ["cc", "-O1", "-Wall", "-I/usr/include/modbus", str(source), "-o", str(binary), "-lmodbus"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"the libmodbus server does not compile (libmodbus-dev is needed): {done.stderr}"
    return [str(binary)]


@pytest.fixture(scope="session")
def pymodbus_server():
    return [sys.executable, str(HERE / "pymodbus_server.py")]
