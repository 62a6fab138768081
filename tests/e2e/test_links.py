"""The main job over every kind of link, with pymodbus at the far end."""

import os
import select
import socket
import subprocess
import threading
import tty

import pytest
from bench import free_port, wait_until
from sites import bottle_room

VALVE = "coil 3 1"


class Wire:
    """A serial line: two ports that are joined. It can be cut."""

    def __init__(self):
        self.near, self.far = os.openpty(), os.openpty()
        for _, port in (self.near, self.far):
            tty.setraw(port)
        self.whole = True
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    @property
    def ports(self):
        return os.ttyname(self.near[1]), os.ttyname(self.far[1])

    def _carry(self):
        ends = {self.near[0]: self.far[0], self.far[0]: self.near[0]}
        while self.whole:
            for end in select.select(list(ends), [], [], 0.05)[0]:
                os.write(ends[end], os.read(end, 1024))

    def close(self):
        self.whole = False
        self.thread.join()
        for fd in (*self.near, *self.far):
            os.close(fd)


@pytest.fixture
def wire():
    wire = Wire()
    yield wire
    wire.close()


def site(link, broker):
    text = bottle_room(1, broker.port).replace('link = "tcp://127.0.0.1:1"', f'link = "{link}"')
    assert link in text
    return text


def shuts_the_valve(bench, device, link, broker):
    agent = bench.davy(site(link, broker)).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    device.gas(25.0)
    wait_until(lambda: VALVE in device.coils(), "the valve is shut")
    agent.wait_recorded("element", tag="valve", phase="confirmed")
    [line] = agent.status()["lines"]
    assert all(unit["asked"] > 0 and unit["median_us"] for unit in line["units"]), line
    return agent


def test_over_a_serial_port(bench, pymodbus_server, wire):
    near, far = wire.ports
    device = bench.peer([*pymodbus_server, "rtu", far])
    agent = shuts_the_valve(bench, device, f"rtu://{near}?baud=19200", bench.mosquitto())
    agent.order("decode", "canteen", "bytes")
    wait_until(lambda: "heard" in agent.log(), "bytes are in the log")
    agent.end()


def test_over_a_serial_server(bench, pymodbus_server):
    device = bench.peer([*pymodbus_server, "rtu+tcp"])
    shuts_the_valve(bench, device, f"rtu+tcp://127.0.0.1:{device.port}", bench.mosquitto()).end()


@pytest.fixture
def keys(tmp_path):
    """A certificate authority, and what a server and a client show."""

    def openssl(*args):
        done = subprocess.run(["openssl", *map(str, args)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    for name in ("server", "client"):
        (tmp_path / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.pem", "-extfile", f"{name}.ext"),
        )
    return tmp_path


def test_over_tls_with_a_certificate_on_either_side(bench, pymodbus_server, keys):
    device = bench.peer([*pymodbus_server, "tls", keys / "ca.pem", keys / "server.pem", keys / "server.key"])
    files = f"ca={keys}/ca.pem&cert={keys}/client.pem&key={keys}/client.key"
    link = f"tls://127.0.0.1:{device.port}?{files}"
    shuts_the_valve(bench, device, link, bench.mosquitto()).end()


def test_a_server_that_nobody_vouches_for_is_not_believed(bench, pymodbus_server, keys, tmp_path_factory):
    device = bench.peer([*pymodbus_server, "tls", keys / "ca.pem", keys / "server.pem", keys / "server.key"])
    files = f"ca={keys}/client.pem&cert={keys}/client.pem&key={keys}/client.key"
    broker = bench.mosquitto()
    agent = bench.davy(site(f"tls://127.0.0.1:{device.port}?{files}", broker)).start().await_start()
    wait_until(lambda: "TLS: " in agent.log(), "why is said")
    assert agent.point("gas.lpg-1")["value"] is None
    agent.end()


def test_over_a_modem_that_dials_in(bench, pymodbus_server):
    """The modem is a pipe between a serial server and the port where the line listens."""
    device = bench.peer([*pymodbus_server, "rtu+tcp"])
    port, broker = free_port(), bench.mosquitto()
    agent = bench.davy(site(f"rtu+listen://127.0.0.1:{port}?id=DTU-7", broker)).start().await_start()

    def dial(says):
        caller = socket.create_connection(("127.0.0.1", port), timeout=10)
        caller.sendall(says)
        return caller

    wait_until(lambda: "modems may dial in" in agent.log(), "the line listens")
    stranger = dial(b"DTU-8 " + b"x" * 300)
    try:
        assert stranger.recv(1) == b"", "who is not known is hung up on"
    except ConnectionResetError:
        pass  # Hung up on before everything that it said was read.
    stranger.close()
    caller, server = dial(b"DTU-7"), socket.create_connection(("127.0.0.1", device.port))

    def carry():
        ends = {caller: server, server: caller}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                try:
                    data = end.recv(1024)
                    if not data:
                        return
                    ends[end].sendall(data)
                except OSError:
                    return

    threading.Thread(target=carry, daemon=True).start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    device.gas(25.0)
    wait_until(lambda: VALVE in device.coils(), "the valve is shut")
    agent.end()
    server.close()
    caller.close()
