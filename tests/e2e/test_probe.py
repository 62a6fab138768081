"""The tools of who commissions, against pymodbus: over TCP, a serial server and a serial port, and against nonsense."""

import random
import socket
import subprocess
import threading

import pytest
from bench import DAVY, davy, wait_until
from sites import bottle_room
from test_links import keys, wire  # noqa: F401, fixtures


def probe(what, link, *args, said=None):
    return davy("probe", what, "--link", link, *args, input=said)


def units(done):
    """The unit numbers of a scan's table."""
    lines = done.stdout.split("For the site file")[0].splitlines()
    heading = next((n for n, line in enumerate(lines) if line.startswith("unit  ")), len(lines))
    rows = [line.split() for line in lines[heading + 1 :]]
    return [int(row[0]) for row in rows if row and row[0].isdigit()]


@pytest.fixture(params=["tcp", "rtu+tcp", "rtu"])
def device(request, bench, pymodbus_server):
    """A link, and the server with units 1, 2 and 3 behind it."""
    if request.param == "rtu":
        near, far = request.getfixturevalue("wire").ports
        peer = bench.peer([*pymodbus_server, "rtu", far])
        return f"rtu://{near}?baud=19200", peer
    peer = bench.peer([*pymodbus_server, *([] if request.param == "tcp" else ["rtu+tcp"])])
    return f"{request.param}://127.0.0.1:{peer.port}", peer


def test_a_scan_finds_exactly_the_units_that_are_there(device):
    link, _ = device
    done = probe("scan", link, "--units", "1-6,9", "--timeout-ms", "100")
    assert done.returncode == 0, done.stderr
    assert units(done) == [1, 2, 3], done.stdout
    assert "unit 2 answers" in done.stderr
    assert f'link = "{link}"' in done.stdout and 'id = "line-1-unit-3"' in done.stdout
    nobody = probe("scan", link, "--units", "7-8", "--timeout-ms", "100")
    assert nobody.returncode == 1 and "nobody answered" in nobody.stderr, nobody.stdout
    assert "check:" in nobody.stderr


def test_what_a_scan_writes_for_the_site_file_is_taken_once_profile_and_area_are_chosen(device, tmp_path):
    link, _ = device
    done = probe("scan", link, "--units", "1-3", "--timeout-ms", "200")
    lines = done.stdout.split("for each signal that is to be watched):")[1]
    lines = lines.replace('profile = "CHOOSE"', 'profile = "gas-2reg"').replace('area = "CHOOSE"', 'area = "face"')
    site = tmp_path / "site.toml"
    site.write_text(
        '[gateway]\nid = "g"\n[site]\nname = { zh = "x", en = "x" }\n[[gas]]\nid = "methane"\nlel_pct_vol = 5.0\n'
        '[[area]]\nid = "face"\nkind = "cn-coal-face"\nname = "face"\n' + lines
        + "".join(
            f'\n[[point]]\nid = "face.t{n}"\nname = "T{n}"\ndevice = "line-1-unit-{n}"\nsignal = "value"\n'
            'gas = "methane"\nplace = "T1"\n' for n in (1, 2, 3)
        )
    )
    checked = davy("check", "--config", site)
    assert checked.returncode == 0, checked.stdout
    listed = davy("check", "--config", site, "--registers").stdout
    assert link.split("?")[0] in listed and "no agent runs" in listed


def test_registers_are_read_in_any_type(device):
    link, peer = device
    peer.gas(12.5)
    read = lambda: probe("read", link, "--unit", "1", "--at", "holding:0", "--count", "2")
    done = wait_until(lambda: (done := read()).stdout.count("007d") == 1 and done, "the value has come")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    first = ["holding", "0", "40001", "007d", "u16", "=", "125"]
    assert rows == [first, ["holding", "1", "40002", "0000", "u16", "=", "0"]]
    beyond = probe("read", link, "--unit", "1", "--at", "holding:99")
    assert beyond.returncode == 1 and "exception 2" in beyond.stderr and "40001" in beyond.stderr
    for wrong in (["--at", "holding"], ["--at", "coil:0", "--as", "u16"], ["--at", "holding:0", "--count", "126"]):
        assert probe("read", link, "--unit", "1", *wrong).returncode == 2, wrong


def test_nothing_is_written_without_the_value_typed_once_more(device):
    link, peer = device

    def write(value, said, at="holding:5", *more):
        return probe("write", link, "--unit", "2", "--at", at, "--value", value, *more, said=said)

    def stands():
        return probe("read", link, "--unit", "2", "--at", "holding:5").stdout.split()[-1]

    for said in ("", "\n", "y\n", "8\n", "77\n", "yes\n", "7x" * 1000):
        done = write("7", said)
        assert done.returncode == 1 and "nothing was written" in done.stdout, done.stdout
        assert stands() == "0"
    done = write("7", "7\n")
    assert done.returncode == 0 and "taken: holding:5 holds 7" in done.stdout, done.stdout + done.stderr
    assert stands() == "7"
    assert write("-2", "-2\n", "holding:5", "--multiple").returncode == 0
    assert stands() == "65534"
    coil = write("1", "1\n", "coil:0")
    assert coil.returncode == 0 and "function 5" in coil.stdout
    wait_until(lambda: "coil 2 1" in peer.coils(), "the coil is written")
    # What is measured is set by the server: it does not take what is written there.
    refused = write("9", "9\n", "holding:0")
    assert refused.returncode == 1 and "not taken: holding:0 holds 0" in refused.stdout, refused.stdout
    for wrong in (["--at", "input:0"], ["--at", "coil:0", "--value", "2"], ["--value", "65536"], ["--unit", "0"]):
        args = {"--unit": "2", "--at": "holding:5", "--value": "1"} | dict(zip(wrong[::2], wrong[1::2]))
        flat = [word for pair in args.items() for word in pair]
        done = probe("write", link, *flat, said="1\n")
        assert done.returncode == 2, (wrong, done.stderr)


def test_two_registers_are_shown_in_every_type(device):
    link, _ = device

    def put(at, value):
        probe("write", link, "--unit", "1", "--at", f"holding:{at}", "--value", str(value), said=f"{value}\n")

    put(8, 0), put(9, 0x3FA0)
    done = probe("guess", link, "--unit", "1", "--at", "holding:8", "--expect", "1.25")
    assert done.returncode == 0
    first = done.stdout.split("registers\n")[1].splitlines()[0].split()
    assert first == ["*", "1.25", "f32:cdab", "both"], done.stdout
    done = probe("read", link, "--unit", "1", "--at", "holding:8", "--as", "f32:cdab")
    assert done.stdout.split()[-1] == "1.25", done.stdout


def test_a_device_is_watched_through_its_profile(device):
    link, peer = device
    args = ("--unit", "3", "--profile", "valve-2limit", "--once")
    done = probe("watch", link, *args)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[2:]}
    assert rows["open"] == ["discrete:1", "1", "1", "state", "good"], done.stdout
    silent = probe("watch", link, "--unit", "9", "--profile", "valve-2limit", "--once", "--timeout-ms", "100")
    assert silent.returncode == 1 and "unit 9" in silent.stderr
    assert probe("watch", link, "--unit", "3", "--profile", "valve").returncode == 2


def test_a_serial_port_that_is_taken_says_by_whom(bench, pymodbus_server, wire):  # noqa: F811
    near, far = wire.ports
    bench.peer([*pymodbus_server, "rtu", far])
    link = f"rtu://{near}?baud=19200"
    watching = subprocess.Popen(
        [str(DAVY), "probe", "watch", "--link", link, "--unit", "1", "--profile", "lel-2reg", "--every-ms", "100"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "unit 1" in watching.stdout.readline()
        done = probe("scan", link, "--units", "1")
        assert done.returncode == 1 and f"davy (process {watching.pid})" in done.stderr, done.stderr
    finally:
        watching.kill()
        watching.wait()


def test_usual_speeds_are_tried_until_somebody_answers(bench, pymodbus_server, wire):  # noqa: F811
    """A pseudo-terminal carries any speed: the first one that is tried is answered."""
    near, far = wire.ports
    bench.peer([*pymodbus_server, "rtu", far])
    done = probe("scan", f"rtu://{near}?baud=4800", "--units", "2", "--try-baud", "--timeout-ms", "100")
    assert done.returncode == 0 and units(done) == [2], done.stderr
    assert f'link = "rtu://{near}?baud=4800&parity=none&stop=1"' in done.stdout


def test_a_scan_over_tls_shows_its_certificate(bench, pymodbus_server, keys):  # noqa: F811
    device = bench.peer([*pymodbus_server, "tls", keys / "ca.pem", keys / "server.pem", keys / "server.key"])
    files = f"ca={keys}/ca.pem&cert={keys}/client.pem&key={keys}/client.key"
    done = probe("scan", f"tls://127.0.0.1:{device.port}?{files}", "--units", "2-4")
    assert done.returncode == 0 and units(done) == [2, 3], done.stdout + done.stderr


class Babbler:
    """A server that answers anything with noise."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.over = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self.over:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._babble, args=(peer,), daemon=True).start()

    def _babble(self, peer):
        with peer:
            try:
                while asked := peer.recv(1024):
                    how = self.random.randrange(5)
                    if how == 0:
                        return
                    noise = self.random.randbytes(self.random.randrange(1, 400))
                    # A sound beginning, and the wrong rest.
                    peer.sendall([noise, asked, asked[:6] + noise, asked[:8] + noise][how - 1])
            except OSError:
                pass

    def stop(self):
        self.over = True
        self.socket.close()


@pytest.mark.parametrize("scheme", ["tcp", "rtu+tcp"])
def test_nonsense_is_called_nonsense(bench, scheme):
    babbler = bench.add(Babbler(7))
    link = f"{scheme}://127.0.0.1:{babbler.port}"
    fast = ("--timeout-ms", "50")
    done = probe("scan", link, "--units", "1-20", *fast)
    assert done.returncode in (0, 1) and "panicked" not in done.stderr, done.stderr
    for args in (
        ("read", link, "--unit", "1", "--at", "holding:0", "--count", "10", *fast),
        ("guess", link, "--unit", "1", "--at", "input:0", *fast),
        ("watch", link, "--unit", "1", "--profile", "gas-2reg", "--once", *fast),
    ):
        done = probe(*args)
        assert done.returncode in (0, 1) and "panicked" not in done.stderr, done.stderr
    done = probe("write", link, "--unit", "1", "--at", "holding:0", "--value", "1", *fast, said="1\n")
    assert done.returncode == 1 and "panicked" not in done.stderr, done.stdout + done.stderr


def test_what_the_agent_heard_last_is_listed_with_its_registers(bench, pymodbus_server):
    device = bench.peer(pymodbus_server)
    text = bottle_room(1, bench.mosquitto().port)
    text = text.replace('link = "tcp://127.0.0.1:1"', f'link = "tcp://127.0.0.1:{device.port}"')
    agent = bench.davy(text).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    done = davy("check", "--config", agent.config, "--registers")
    assert done.returncode == 0, done.stderr
    [row] = [line for line in done.stdout.splitlines() if " gas.lpg-1 " in line and " value " in line]
    assert "0000" in row and "good" in row and "ago" in row, row
    agent.end()
    assert "not known" in davy("check", "--config", agent.config, "--registers").stdout
