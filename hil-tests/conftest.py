"""Fixtures. What is run is the real `davy run`; what it is asked over is a virtual port, or a real one: `DAVY_HIL_LINK`."""

import os
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests/e2e"))

from bench import Davy, Mosquitto, Peer, Subscriber  # noqa: E402
from device import World  # noqa: E402


class Bench:
    """Takes what a test starts, and ends it in reverse order."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def add(self, thing):
        self.started.append(thing)
        return thing

    def world(self):
        return self.add(World())

    def davy(self, site, folder="agent"):
        (self.folder / folder).mkdir()
        return self.add(Davy(self.folder / folder, site))

    def mosquitto(self):
        return self.add(Mosquitto(self.folder / "mosquitto"))

    def subscriber(self, port, topics=("#",)):
        return self.add(Subscriber(port, topics))

    def peer(self, argv):
        return self.add(Peer(argv, self.folder))

    def stop(self):
        for thing in reversed(self.started):
            thing.stop()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.stop()


@pytest.fixture(scope="session")
def wiring():
    """The bench that is tested on: `benches/*.toml`. With `DAVY_HIL_LINK` its link is that one."""
    name = os.environ.get("DAVY_HIL_BENCH", "rs485-pair" if "DAVY_HIL_LINK" in os.environ else "virtual")
    wiring = tomllib.loads((HERE / "benches" / f"{name}.toml").read_text())
    wiring["link"] = os.environ.get("DAVY_HIL_LINK", wiring.get("link"))
    wiring["device"] = os.environ.get("DAVY_HIL_DEVICE", wiring.get("device"))
    return wiring


def pytest_collection_modifyitems(items):
    """What needs virtual ports is left out where a real one is named, and said so."""
    if "DAVY_HIL_LINK" in os.environ:
        for item in items:
            if item.get_closest_marker("virtual"):
                item.add_marker(pytest.mark.skip(reason="only on virtual ports"))


def pytest_configure(config):
    config.addinivalue_line("markers", "virtual: needs ports that the suite makes itself")
