"""What is typed and what is answered: exit codes, check, schema, signals, the state folder, orders, logs."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import bench as workbench
import jsonschema
import pytest
from bench import DAVY, ROOT, davy, free_port, wait_until
from sites import bottle_room, bus, detector, head, trip, valve

DEMO = ROOT / "config/demo.toml"
BROKEN = sorted((ROOT / "tests/broken").glob("*.toml"))
BROKEN_PROFILES = sorted((ROOT / "tests/broken/profiles").glob("*.toml"))
NOBODY = 65534


@pytest.fixture
def as_nobody(tmp_path):
    """Runs the program as a user without rights; root may read and write everything."""
    if os.getuid() != 0:
        yield davy
        return
    folder = Path(tempfile.mkdtemp(prefix="davy-nobody-"))
    folder.chmod(0o755)
    copy = shutil.copy(DAVY, folder / "davy")

    def run(*args, **kwargs):
        argv, nobody = [copy, *map(str, args)], {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, **nobody, **kwargs)

    run.folder = folder
    yield run
    shutil.rmtree(folder)


@pytest.fixture
def room(bench):
    """A bottle room on a line of our own, and an agent at work on it."""
    plant = bench.plant()
    link = plant.link()
    units = [link.unit(n) for n in (1, 2, 3)]
    broker_port = free_port()
    site = bottle_room(link.port, broker_port)
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    agent.units, agent.link, agent.site = units, link, site
    return agent


# --- check and schema ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_a_broken_file_is_answered_with_line_and_remedy(path):
    wanted = re.findall(r"^#! (\S+) (\d+): (.+)$", path.read_text(), re.M)
    human = davy("check", "--config", path)
    assert human.returncode == 2 and human.stderr == ""
    tools = davy("check", "--format", "json", "--config", path)
    assert tools.returncode == 2 and tools.stderr == ""
    answer = json.loads(tools.stdout)
    errors = [f for f in answer["faults"]["faults"] if f["severity"] == "error"]
    assert not answer["good"] and len(errors) == answer["faults"]["errors"] > 0
    for fault in errors:
        assert fault["message"] and fault["help"], fault
        place = f"{path}:{fault['at']['line']}:{fault['at']['column']}"
        assert place in human.stdout and fault["message"] in human.stdout
    for code, line, remedy in wanted:
        fits = lambda f: f["code"] == code and f["at"]["line"] == int(line) and remedy in f["help"]
        assert any(map(fits, answer["faults"]["faults"])), f"{code} in line {line}: {remedy}"
    refused = davy("run", "--config", path)
    assert refused.returncode == 2, "what does not check does not run"


@pytest.mark.parametrize("path", BROKEN_PROFILES, ids=lambda p: p.stem)
def test_a_broken_profile_of_the_sites_own_is_answered_with_line_and_remedy(path, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(path, own)
    site = tmp_path / "site.toml"
    site.write_text(DEMO.read_text().replace("[gateway]", '[gateway]\nprofiles = "own"', 1))
    done = davy("check", "--format", "json", "--config", site)
    assert done.returncode == 2, done
    faults = json.loads(done.stdout)["faults"]["faults"]
    for code, line, remedy in re.findall(r"^#! (\S+) (\d+): (.+)$", path.read_text(), re.M):
        fits = lambda f: f["code"] == code and f["at"]["line"] == int(line) and remedy in f["help"]
        fault = next(filter(fits, faults), None)
        assert fault, f"{code} in line {line}: {remedy}; was answered {faults}"
        assert fault["at"]["file"] == str(own / path.name)
    shutil.rmtree(own)
    done = davy("check", "--config", site)
    assert done.returncode == 2 and f"cannot read the folder {own}" in done.stdout, done


def test_more_than_twenty_broken_files_are_kept():
    assert len(BROKEN) >= 20


def wrong_inputs(folder):
    """Things that are no site file, with a word that the answer must have."""
    big, text, latin, nothing = (folder / name for name in ("big.toml", "text.toml", "latin.toml", "nothing.toml"))
    with open(big, "wb") as f:
        f.truncate(50_000_000)
    text.write_bytes(b'a = "\xff\xfe"\n')
    latin.write_bytes('[site]\nname = "\u77ff"\n'.encode("gbk"))
    nothing.write_bytes(b"")
    return {
        folder / "missing.toml": "check the path",
        folder: "name the file itself",
        big: "longer than",
        text: "UTF-8",
        latin: "UTF-8",
        nothing: "gateway",
        Path("/dev/null"): "gateway",
        Path("/dev/zero"): "longer than",
    }


def test_what_is_no_site_file_is_refused_with_words(tmp_path):
    for path, word in wrong_inputs(tmp_path).items():
        for command in (["check"], ["check", "--format", "json"], ["run"]):
            done = davy(*command, "--config", path)
            said = done.stdout + done.stderr
            assert done.returncode == 2, f"{command} {path}: {said}"
            assert word in said, f"{command} {path}: {said}"
            assert "panicked" not in said
            if "json" in command:
                assert json.loads(done.stdout)["good"] is False


def test_a_file_that_may_not_be_read_is_refused_with_words(as_nobody, tmp_path):
    path = getattr(as_nobody, "folder", tmp_path) / "secret.toml"
    path.write_text(DEMO.read_text())
    path.chmod(0)
    for command in ("check", "run"):
        done = as_nobody(command, "--config", path)
        said = done.stdout + done.stderr
        assert done.returncode == 2 and "must be able to read it" in said, said


def test_the_demo_file_is_good_in_every_way():
    done = davy("check", "--config", DEMO)
    assert done.returncode == 0 and ": good" in done.stdout
    done = davy("check", "--format", "json", "--config", DEMO)
    assert done.returncode == 0 and json.loads(done.stdout)["good"] is True


def test_the_schema_is_one_and_takes_the_demo_file():
    done = davy("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    demo = tomllib.loads(DEMO.read_text())
    check.validate(demo)
    for name in ("unknown-key", "missing-key", "wrong-type", "unit-out-of-range"):
        broken = tomllib.loads((ROOT / f"tests/broken/{name}.toml").read_text())
        assert not check.is_valid(broken), name
    assert not check.is_valid({})


def test_arguments_that_make_no_sense_exit_with_2():
    for args in ([], ["frobnicate"], ["run"], ["check"], ["ack"], ["status"], ["run", "--config"], ["demo", "--no-such"]):
        done = davy(*args)
        assert done.returncode == 2, f"{args}: {done}"
        assert done.stderr, args
    assert davy("--version").returncode == 0
    assert davy("--help").returncode == 0


# --- signals ------------------------------------------------------------------------------------------------------------


def test_sigterm_and_sigint_end_it_in_time_with_the_end_as_last_entry(room):
    for n in range(12):
        ending = signal.SIGTERM if n % 3 else signal.SIGINT
        # Gas comes at any moment, also while it ends.
        room.units[0].gas(30.0 if n % 2 else 0.0)
        time.sleep(0.017 * n)
        room.signal(ending)
        begin = time.monotonic()
        assert room.process.popen.wait(5) == 0, room.log()
        assert time.monotonic() - begin < 2.0
        last = room.journal()[-2]  # The checkpoint seals it.
        assert (last["kind"], last["body"]["reason"]) == ("ended", ending.name)
        room.start().await_start()
    room.end()
    starts = [e["body"]["previous_end"] for e in room.recorded("started")]
    assert starts == ["first-start"] + ["clean"] * 12


def test_sigterm_ends_it_in_time_whatever_stands_still(bench):
    plant = bench.plant()
    broker = bench.mosquitto()
    link = plant.link()
    link.unit(1).mood = "silent"
    site = bottle_room(link.port, broker.port).replace("timeout_ms = 200", "timeout_ms = 5000").replace(
        "poll_ms = 200", "poll_ms = 6000"
    )
    agent = bench.davy(site).start().await_start()
    wait_until(lambda: "connected" in agent.log(), "it is connected")
    broker.freeze()
    took = agent.end()
    broker.thaw()
    assert [entry["kind"] for entry in agent.journal()[-2:]] == ["ended", "checkpoint"]
    print(f"ended in {took:.2f} s with a frozen broker and a silent device")


def test_sighup_takes_a_good_file_at_once(room):
    old = room.status()["config_hash"]
    room.units[0].gas(23.0)
    room.wait_alarm("gas.lpg-1:alarm")
    assert not room.trip("shutoff")["tripped"]
    room.write(bottle_room(room.link.port, 1883, level_2=22.0))
    room.signal(signal.SIGHUP)
    taken = room.wait_recorded("config", taken=True)["body"]
    assert taken["old_hash"] == old != taken["new_hash"]
    wait_until(lambda: room.trip("shutoff")["tripped"], "23 is over the new level 2")
    assert room.status()["config_hash"] == taken["new_hash"]
    wait_until(lambda: room.units[2].coils[0], "the valve is shut under the new file")
    assert room.alarm("gas.lpg-1:alarm")["occurrence"] == 1, "what stood goes on standing"
    room.end()


def test_sighup_refuses_a_bad_file_and_says_so(room):
    before = room.status()["config_hash"]
    room.write(room.site.replace("profile", "profil"))
    room.signal(signal.SIGHUP)
    refused = room.wait_recorded("config", taken=False)["body"]
    assert refused["old_hash"] == refused["new_hash"] == before
    assert "profil" in refused["detail"] and re.search(r"site\.toml:\d+:\d+", refused["detail"]), refused
    wait_until(lambda: "refused" in room.log(), "it is in the log")
    assert "did you mean `profile`" in room.log()
    room.config.unlink()
    room.signal(signal.SIGHUP)
    wait_until(lambda: len(room.recorded("config", taken=False)) == 2, "a missing file is refused too")
    room.write(room.site.replace('id = "test-gw"', 'id = "other-gw"'))
    room.signal(signal.SIGHUP)
    wait_until(lambda: len(room.recorded("config", taken=False)) == 3, "the gateway's name is fixed")
    assert "restart" in room.recorded("config", taken=False)[2]["body"]["detail"]
    assert room.status()["config_hash"] == before
    room.units[0].gas(26.0)
    wait_until(lambda: room.units[2].coils[0], "the old file is in force and shuts the valve")
    # What holds a valve shut may not vanish from the file.
    room.write(head() + bus("canteen", room.link.port) + detector("lpg-1", "canteen", 1))
    room.signal(signal.SIGHUP)
    wait_until(lambda: len(room.recorded("config", taken=False)) == 4, "a standing trip may not vanish")
    assert "reset" in room.recorded("config", taken=False)[3]["body"]["detail"]
    room.end()


def test_sighup_again_and_again_loses_nothing(bench):
    plant, broker = bench.plant(), bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    link = plant.link()
    for n in (1, 2, 3):
        link.unit(n)
    sites = [bottle_room(link.port, broker.port), bottle_room(link.port, broker.port, level_2=22.0)]
    agent = bench.davy(sites[0]).start().await_start()
    agent.wait_good("gas.lpg-1")
    for n in range(1, 9):
        agent.write(sites[n % 2])
        link.unit(1).gas(21.0 * (n % 2))
        agent.signal(signal.SIGHUP)
        wait_until(lambda: len(agent.recorded("config", taken=True)) == n, f"reload {n}")
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    agent.end()
    recorded = agent.journal_lines()
    wait_until(lambda: len(workbench.first_copies(subscriber.lines())) == len(recorded), "all is told")
    assert workbench.first_copies(subscriber.lines()) == recorded


# --- the state folder -----------------------------------------------------------------------------------------------------


def test_a_state_folder_in_use_is_refused_with_the_process_that_has_it(room):
    done = davy("run", "--config", room.config)
    assert done.returncode == 1
    assert f"process {room.process.pid}" in done.stderr and "in use" in done.stderr, done.stderr
    assert room.status(), "the first one is not disturbed"
    room.end()


def test_where_no_folder_can_be_written_the_start_is_refused_with_words(as_nobody, tmp_path):
    folder = getattr(as_nobody, "folder", tmp_path)
    locked = folder / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    in_the_way = folder / "file"
    in_the_way.write_text("")
    for state in (locked / "state", in_the_way / "state", in_the_way):
        site = folder / "site.toml"
        site.write_text(bottle_room(1, 1).replace("STATE", str(state)))
        done = as_nobody("run", "--config", site, env={**os.environ, "TMPDIR": str(in_the_way)})
        assert done.returncode == 1, done
        assert "state folder" in done.stderr and str(state) in done.stderr, done.stderr
        assert "panicked" not in done.stderr


def test_without_its_state_folder_an_agent_still_trips_and_says_so(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    link = bench.plant().link()
    units = [link.unit(n) for n in (1, 2, 3)]
    agent = bench.davy(bottle_room(link.port, free_port()))
    agent.state.write_text("in the way")
    agent.start()
    agent.state = tmp_path / "davy-test-gw"
    agent.await_start().wait_good("gas.lpg-1", "gas.lpg-2")
    troubles = lambda: [trouble["code"] for trouble in agent.status()["troubles"]]
    wait_until(lambda: "state-folder" in troubles(), "the trouble stands")
    assert str(agent.state) in agent.log()
    units[0].gas(30.0)
    wait_until(lambda: units[2].coils[0], "the valve is shut")
    agent.end()
    assert agent.recorded("trip", tag="shutoff", tripped=True)


def test_a_state_folder_of_something_else_is_left_alone(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "FORMAT").write_text("davy state 999\n")
    site = tmp_path / "site.toml"
    site.write_text(bottle_room(1, 1).replace("STATE", str(state)))
    spare = tmp_path / "tmp"
    spare.mkdir()
    agent = workbench.Process([DAVY, "run", "--config", str(site)], tmp_path / "log", env={"TMPDIR": str(spare)})
    wait_until(lambda: (spare / "davy-test-gw" / "davy.sock").exists(), "it protects all the same")

    def told():
        status = json.loads(davy("status", "--json", "--state", spare / "davy-test-gw").stdout)
        return any(t["code"] == "state-folder" and "999" in t["en"] for t in status["troubles"])

    wait_until(told, "and says that it can't use the folder")
    agent.terminate()
    assert not (state / "journal").exists()


def test_only_owner_and_group_may_use_the_command_socket(room, as_nobody):
    assert stat.filemode((room.state / "davy.sock").stat().st_mode) == "srw-rw----"
    assert stat.filemode(room.state.stat().st_mode) == "drwxr-x---"
    for path in room.state.iterdir():
        assert not path.stat().st_mode & stat.S_IRWXO, f"{path} is open to everybody"
    if os.getuid() == 0:
        done = as_nobody("status", "--state", room.state)
        assert done.returncode == 1 and done.stderr, done
    room.end()


def test_nobody_keeps_an_operator_out_by_holding_connections_open(room):
    idle = []
    try:
        for _ in range(300):
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(5)
            peer.connect(str(room.state / "davy.sock"))
            idle.append(peer)
        done = room.order("status")
        assert done.returncode == 0 and "bottle-room" in done.stdout, done
    finally:
        for peer in idle:
            peer.close()
    room.end()


def test_check_looks_at_password_files(tmp_path):
    site = tmp_path / "site.toml"
    broker = 'broker = "mqtt://127.0.0.1:1883"'
    text = bottle_room(1, 1).replace("STATE", str(tmp_path / "state"))
    assert broker.partition("=")[0] in text
    text = re.sub(r"(?m)^broker = .*$", broker + '\nuser = "davy"\npassword_file = "secret"', text)
    site.write_text(text)
    secret = tmp_path / "secret"

    def warnings():
        done = davy("check", "--config", site, "--format", "json")
        assert done.returncode == 0, done
        return [f for f in json.loads(done.stdout)["faults"]["faults"] if f["code"] == "password-file"]

    [missing] = warnings()
    assert str(secret) in missing["message"], "it counts from where the site file lies"
    secret.write_text("word\n")
    secret.chmod(0o644)
    [open_to_all] = warnings()
    assert "everybody" in open_to_all["message"]
    secret.chmod(0o600)
    assert not warnings()
    secret.unlink()
    secret.symlink_to("/dev/zero")
    [device] = warnings()
    assert "no file" in device["message"]


# --- orders -----------------------------------------------------------------------------------------------------------------


def test_status_shows_what_is_there_as_text_and_for_tools(room):
    room.units[0].gas(30.0)
    wait_until(lambda: room.trip("shutoff")["tripped"], "the trip")
    wait_until(lambda: "closed" in room.order("status").stdout, "the valve is seen closed")
    text = room.order("status").stdout
    for words in ("bottle-room", "gas.lpg-1", "30.00", "%LEL", "gas.lpg-1:trip", "二级报警", "TRIPPED", "#1", "valve"):
        assert words in text, f"{words} in {text}"
    assert "\x1b" not in text, "no colours where nobody sees them"
    status = room.status()
    assert status["gateway"] == "test-gw"
    assert room.point("gas.lpg-1") == {"id": "gas.lpg-1", "value": 30.0, "unit": "%LEL", "quality": "good"}
    assert room.trip("shutoff")["first_out"] == "gas.lpg-1:trip"
    assert davy("status", "--json", "--config", room.config).returncode == 0, "the site file names the agent too"
    room.end()
    gone = room.order("status")
    assert gone.returncode == 1 and "no agent answers" in gone.stderr
    assert davy("status", "--config", room.folder / "none.toml").returncode == 2


def test_acknowledging_says_what_it_did_and_refuses_what_was_not_seen(room):
    gas, key = room.units[0].gas, "gas.lpg-1:warning"
    gas(12.0)
    assert room.wait_alarm(key)["occurrence"] == 1
    gas(0.0)
    wait_until(lambda: room.alarm(key)["state"] == "returned-unacknowledged", "it returns")
    gas(12.0)
    wait_until(lambda: room.alarm(key)["occurrence"] == 2, "it comes again")
    old = room.order("ack", key, "--occurrence", "1")
    assert old.returncode == 1 and "it is now occurrence 2" in old.stderr, old
    assert room.alarm(key)["state"] == "unacknowledged"
    new = room.order("ack", key, "--occurrence", "2", "--as", "Zhang San")
    assert new.returncode == 0 and f"acknowledged {key}" in new.stdout, new
    assert room.alarm(key)["state"] == "acknowledged"
    again = room.order("ack", key)
    assert again.returncode == 1 and "nothing to acknowledge" in again.stderr
    unknown = room.order("ack", "no-such:alarm")
    assert unknown.returncode == 1 and "there is no alarm no-such:alarm" in unknown.stderr
    assert room.order("ack", "--all").returncode == 0
    refused = [e["body"] for e in room.recorded("command") if e["body"]["refused"]]
    assert len(refused) == 3, "a refused order is on record too"
    done = room.recorded("alarm", key=key, cause="acknowledged")[0]["body"]
    assert done["who"]["name"].startswith("Zhang San (") and done["who"]["via"] == "local"
    room.end()


def test_a_bypass_takes_one_voter_out_and_is_shown_until_it_ends(room):
    key = "gas.lpg-1:trip"
    alone = room.order("bypass", key, "--reason", "calibration")
    assert alone.returncode == 1 and "a second person" in alone.stderr
    done = room.order("bypass", key, "--reason", "calibration", "--second", "Wang", "--minutes", "20", "--as", "Li")
    assert done.returncode == 0 and "votes again by itself in 20 min" in done.stdout, done.stderr
    assert room.status()["bypasses"][0]["cause"] == key
    assert "BYPASSED gas.lpg-1:trip" in room.order("status").stdout
    room.units[0].gas(60.0)
    room.wait_alarm(key)
    assert not room.trip("shutoff")["tripped"], "it is judged and told, and does not vote"
    assert room.order("unbypass", key).returncode == 0
    wait_until(lambda: room.trip("shutoff")["tripped"], "what it says counts again")
    steps = [e["body"]["step"] for e in room.recorded("bypass")]
    assert steps == ["started", "lifted"], steps
    room.end()


def test_a_proof_test_is_refused_with_its_reasons_and_unknown_kinds_at_the_door(room):
    refused = room.order("prooftest", "no-such")
    assert refused.returncode == 1 and "there is no valve, load, siren or lock no-such" in refused.stderr
    assert room.order("prooftest", "valve", "--kind", "half").returncode == 2
    room.end()


def test_a_reset_is_refused_with_every_reason(room):
    gas, key = room.units[0].gas, "gas.lpg-1:trip"
    idle = room.order("reset", "shutoff")
    assert idle.returncode == 1 and "is not tripped" in idle.stderr
    gas(30.0)
    wait_until(lambda: room.trip("shutoff")["tripped"], "the trip")
    high = room.order("reset", "shutoff")
    assert high.returncode == 1
    assert "must be below 20.00 %LEL" in high.stderr and "now 30.00" in high.stderr, high.stderr
    assert f"davy ack {key}" in high.stderr, "every reason at once"
    assert "拒绝" in high.stderr
    room.order("ack", "--all")
    gas(0.0)
    wait_until(lambda: room.point("gas.lpg-1")["value"] == 0.0, "the gas is seen to go")
    room.units[0].mood = "silent"
    room.wait_alarm("lpg-1:comm-lost")
    blind = room.order("reset", "shutoff")
    assert blind.returncode == 1 and "good reading" in blind.stderr, "what is not known is not safe"
    room.units[0].mood = "good"
    wait_until(lambda: room.order("reset", "shutoff").returncode == 0, "the reset is taken", patience_s=90)
    assert not room.trip("shutoff")["tripped"]
    assert room.order("reset", "no-such").returncode == 1
    room.end()


def test_rubbish_at_the_command_socket_is_answered_or_dropped(room):
    for question in (b"\n", b"{}\n", b"\xff\xfe\n", b'{"do":"fly"}\n', b"[" * 4000 + b"\n", b"x" * 100_000, b'{"do":"reset"}\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(15)
            s.connect(str(room.state / "davy.sock"))
            try:
                s.sendall(question)
                s.shutdown(socket.SHUT_WR)
                answer = s.makefile("rb").read()
            except (BrokenPipeError, ConnectionResetError):
                continue
            assert json.loads(answer)["ok"] is False, (question[:40], answer)
    assert room.status()
    room.end()


# --- logs ---------------------------------------------------------------------------------------------------------------------


def test_json_logs_are_one_object_a_line_and_name_bus_and_device(bench):
    link = bench.plant().link()
    link.unit(1).mood = "silent"
    for n in (2, 3):
        link.unit(n)
    agent = bench.davy(bottle_room(link.port, free_port()), "--log-format", "json").start().await_start()
    agent.wait_alarm("lpg-1:comm-lost")
    agent.write("no site file")
    agent.signal(signal.SIGHUP)
    agent.wait_recorded("config", taken=False)
    link.unit(2).gas(30.0)
    wait_until(lambda: "read back" in agent.log(), "the valve is shut")
    agent.end()
    lines = [json.loads(line) for line in agent.log().splitlines()]
    for line in lines:
        assert {"timestamp", "level", "message"} <= set(line), line
    silent = [line for line in lines if line.get("device") == "lpg-1"]
    assert len(silent) == 1 and silent[0]["bus"] == "canteen" and silent[0]["level"] == "WARN", silent
    assert [line for line in lines if line.get("element") == "valve" and line.get("bus") == "canteen"]
    assert [line for line in lines if line.get("code") == "syntax" and line.get("line") == 1], lines


def test_json_logs_say_why_it_does_not_start(tmp_path):
    taken = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(taken, fcntl.LOCK_EX)  # As an agent does that has the folder.
    for site, code in (("no site file", 2), (bottle_room(1, 1).replace("STATE", str(tmp_path)), 1)):
        path = tmp_path / "site.toml"
        path.write_text(site)
        done = davy("run", "--log-format", "json", "--config", path)
        assert done.returncode == code
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert "ERROR" in [line["level"] for line in lines], lines
    os.close(taken)


def test_a_poll_is_no_news_and_a_fault_that_repeats_is_said_once(bench):
    plant = bench.plant()
    link, dead = plant.link(), plant.link()
    dead.unit(1).mood = "closes"
    site = head() + bus("fast", link.port, poll_ms=50, timeout_ms=50) + bus("dead", dead.port, poll_ms=50, timeout_ms=50)
    site += "".join(detector(f"d{n}", "fast", n) for n in range(1, 5)) + detector("gone", "dead", 1)
    for n in range(1, 5):
        link.unit(n)
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.d1", "gas.d4")
    agent.wait_alarm("gone:comm-lost")
    before = len(agent.log().splitlines())
    polls = lambda: sum(len(u.asked) for u in link.units.values())
    polled, tried = polls(), agent.device("gone")["failures"]
    wait_until(lambda: polls() > polled + 150 and agent.device("gone")["failures"] > tried + 1, "many polls")
    assert agent.log().splitlines()[before:] == [], "nothing has changed, nothing is said"
    dead.unit(1).mood = "good"
    agent.wait_good("gas.gone")
    about = [line for line in agent.log().splitlines() if "device=gone" in line]
    assert len(about) == 2, f"lost once, found once: {about}"
    assert re.search(r"failures=\d+", about[1]), "and counted"
    link.unit(2).mood = "exception"
    wait_until(lambda: "device=d2" in agent.log(), "the exception is said")
    polled = polls()
    wait_until(lambda: polls() > polled + 100, "many polls")
    assert agent.log().count("device=d2") == 1
    agent.end()
