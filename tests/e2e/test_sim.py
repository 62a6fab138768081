"""`davy run` against the plant that `davy sim` pretends: a leak is shut off, and the gas falls."""

import json

import pytest
from bench import DAVY, ROOT, Process, davy, free_port, wait_until
from sites import bottle_room


@pytest.mark.parametrize("kind", ["tcp", "pty"])
def test_a_leak_is_shut_off_and_the_gas_falls_and_the_control_room_hears_nothing(bench, tmp_path, kind):
    broker = bench.mosquitto().port
    control_room = bench.subscriber(broker)
    site = bottle_room(free_port(), broker).replace("STATE", str(tmp_path / "state"))
    if kind == "pty":
        old = next(line for line in site.splitlines() if line.startswith("link = "))
        site = site.replace(old, 'link = "rtu:///dev/serial/by-id/none?baud=19200"')
    (tmp_path / "site.toml").write_text(site)
    scenario = tmp_path / "leak.toml"
    scenario.write_text(
        'what = "a leak"\nlength_s = 60\n'
        '[[event]]\ndo = "volume"\nwhat = "bottle-room"\nvalue = 20\n'
        '[[event]]\ndo = "air"\nwhat = "bottle-room"\nvalue = 240\n'
        '[[event]]\nat_s = 6\ndo = "leak"\nwhat = "bottle-room"\nvalue = 4\n'
    )
    copy, socket = tmp_path / "pretended.toml", tmp_path / "poke.sock"
    argv = [DAVY, "sim", "--config", tmp_path / "site.toml", "--scenario", scenario, "--socket", socket]
    plant = bench.add(Ending([*map(str, argv), "--write-config", str(copy), "--format", "json"], tmp_path / "sim.log"))
    wait_until(lambda: plant.said().endswith("\n") or not plant.alive(), plant.said)
    links = json.loads(plant.said())["links"]
    assert links["canteen"].startswith("tcp://127.0.0.1:" if kind == "tcp" else "rtu:///dev/pts/"), links

    agent = bench.davy(copy.read_text())
    agent.state = tmp_path / "pretended.state"
    agent.start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    agent.wait_recorded("element", tag="valve", phase="confirmed")
    shown = lambda: (agent.point("gas.lpg-1") or {}).get("value")
    high = wait_until(shown, agent.log)
    wait_until(lambda: (shown() or high) < high / 2, shown, 60)
    assert "valve" in davy("sim", "poke", "--socket", socket, "show").stdout
    agent.end()
    assert plant.terminate()[0] == 0
    assert not socket.exists()
    assert not (tmp_path / "state").exists(), "the journal of the site itself is left alone"
    assert control_room.all() == [], "nobody is told what is only pretended"
    assert {entry["gateway"] for entry in agent.journal()} == {"test-gw-sim"}


def test_a_copy_that_would_overwrite_its_site_is_refused_and_destinations_stay_only_where_asked_for(bench, tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(bottle_room(free_port(), free_port()).replace("STATE", "own"))
    by_another_name = tmp_path / "link.toml"
    by_another_name.symlink_to(site)
    for same in (site, by_another_name):
        done = davy("sim", "--config", site, "--write-config", same)
        assert done.returncode == 2 and "would overwrite the site file" in done.stderr, done
    assert davy("sim", "--config", site, "--keep-destinations").returncode == 2
    wire = "canteen=rtu:///dev/none?baud=9600"
    done = davy("sim", "--config", site, "--link", wire, "--write-config", tmp_path / "copy.toml")
    assert done.returncode == 2 and "where the site has the line" in done.stderr, done
    assert not (tmp_path / "copy.toml").exists()

    copy = tmp_path / "elsewhere" / "pretended.toml"
    copy.parent.mkdir()
    argv = [DAVY, "sim", "--config", site, "--write-config", copy, "--keep-destinations", "--format", "json"]
    plant = bench.add(Ending([*map(str, argv)], tmp_path / "sim.log"))
    wait_until(lambda: plant.said().endswith("\n") or not plant.alive(), plant.said)
    copied = copy.read_text()
    assert 'id = "test-gw-sim"' in copied
    assert f'state = "{copy.parent / "pretended.state"}"' in copied
    destinations = site.read_text().partition("[[destination]]")
    assert copied.endswith("".join(destinations[1:]))


def pretended(bench, tmp_path, site, *more):
    """`davy sim` of a site file and `davy run` against it."""
    copy, socket = tmp_path / "pretended.toml", tmp_path / "poke.sock"
    argv = [DAVY, "sim", "--config", site, "--write-config", copy, "--socket", socket, "--format", "json", *more]
    plant = bench.add(Ending([*map(str, argv)], tmp_path / "sim.log"))
    wait_until(lambda: plant.said().endswith("\n") or not plant.alive(), plant.said)
    agent = bench.davy(copy.read_text())
    agent.state = tmp_path / "pretended.state"
    agent.start().await_start()
    return agent, plant, socket


def test_a_site_with_every_profile_comes_up_with_every_reading_good_and_no_alarm_and_cuts_on_every_kind_of_line(
    bench, tmp_path
):
    agent, plant, socket = pretended(bench, tmp_path, ROOT / "tests/sites/every-profile.toml")
    links = json.loads(plant.said())["links"]
    kinds = {bus: link.partition("://")[0] for bus, link in links.items()}
    assert kinds == {"heads": "rtu+tcp", "rooms": "tcp", "actuators": "rtu", "far": "rtu+listen"}, links

    quality = lambda: {p["id"]: p["quality"] for p in (agent.status() or {"points": []})["points"]}
    wait_until(lambda: set(quality().values()) == {"good"}, quality)
    # Long enough for whatever takes some polls to be told.
    wait_until(lambda: all(unit["asked"] >= 12 for unit in units(agent)), agent.log)
    status = agent.status()
    assert len(status["points"]) > 90 and {p["quality"] for p in status["points"]} == {"good"}, status["points"]
    assert status["alarms"] == [] and status["troubles"] == [], status
    assert "watchdog" not in agent.log(), agent.log()

    # The actuator of boiler-house takes function 22 over the pseudo-terminal, the solenoid 15.
    for point, value in [("boiler-house.co", 300), ("bottle-room.panel-3", 60)]:
        assert davy("sim", "poke", "--socket", socket, "set", point, f"value={value}").returncode == 0
    for valve in ["boiler-house.auma", "bottle-room.solenoid", "bottle-room.rotork", "bottle-room.two-limits"]:
        agent.wait_recorded("element", tag=valve, phase="confirmed")
    agent.end()


def units(agent, bus=None):
    lines = (agent.status() or {"lines": []})["lines"]
    return [unit for line in lines for unit in line["units"] if bus in (None, line["id"])]


@pytest.mark.parametrize("scenario, is_counted", [
    ("other-master", lambda unit: unit["stray"]["foreign"] and unit["stray"]["echoes"]),
    ("checksum", lambda unit: unit["damaged"]),
])
def test_strangers_and_damage_on_a_line_are_counted_and_make_no_value_of_it_wrong(bench, tmp_path, scenario, is_counted):
    lines = ["--link", f"face=rtu+tcp://127.0.0.1:{free_port()}"]
    lines += [f"--link={bus}=tcp://127.0.0.1:{free_port()}" for bus in ("heading", "canteen", "boiler")]
    scenario = ROOT / f"config/scenarios/{scenario}.toml"
    agent, _, _ = pretended(bench, tmp_path, ROOT / "config/demo.toml", *lines, "--scenario", scenario)
    wait_until(lambda: any(map(is_counted, units(agent, "face"))), lambda: units(agent, "face"))
    agent.end()
    # No gas was anywhere: whatever is in alarm by now is so because it is not heard.
    told = {entry["body"]["key"].rpartition(":")[2] for entry in agent.recorded("alarm")}
    assert told <= ({"comm-lost", "stale"} if scenario.stem == "checksum" else set()), told
    assert not any(entry["body"]["tripped"] for entry in agent.recorded("trip"))


class Ending(Process):
    def stop(self):
        if self.alive():
            self.kill()
