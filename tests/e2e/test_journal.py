"""A journal is verified, shown, exported and rescued as an inspector would do it, and its key changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import DAVY

VERIFIER = Path(__file__).parent.parent / "verifier" / "verify.py"


def davy(*args):
    done = subprocess.run([DAVY, *map(str, args)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """What the demo leaves behind."""
    state = tmp_path_factory.mktemp("journal") / "state"
    code, _, why = davy("demo", "--once", "--state", state)
    assert code == 0, why
    return state


def entries(state):
    return [json.loads(line) for file in sorted((state / "journal").iterdir()) for line in file.read_text().splitlines()]


def test_a_journal_is_sound_and_a_second_verifier_says_so_too(state):
    code, said, _ = davy("journal", "verify", state)
    assert code == 0 and said.endswith("SOUND\n"), said
    assert entries(state)[-1]["kind"] == "checkpoint", "the end is sealed"
    assert "unsealed" not in said
    second = subprocess.run([sys.executable, VERIFIER, state], capture_output=True, text=True)
    assert second.stdout == "sound\n"


def test_the_key_is_its_owners_alone_and_is_changed_by_an_entry(state):
    assert (state / "journal.key").stat().st_mode & 0o777 == 0o600
    _, before, _ = davy("keys", "show", "--state", state)
    code, after, why = davy("keys", "rotate", "--state", state)
    assert code == 0 and after != before, why
    assert davy("keys", "show", "--state", state)[1] == after
    key, seal = entries(state)[-2:]
    assert (key["kind"], key["body"]["step"], seal["kind"]) == ("key", "rotated", "checkpoint")
    assert key["body"]["signer"] == before.split()[0] and seal["body"]["signer"] == after.split()[0]
    code, said, _ = davy("journal", "verify", state, "--key", before.split()[0])
    assert code == 0, said
    other = "00" * 32
    code, said, _ = davy("journal", "verify", state, "--key", other)
    assert code == 1 and "foreign" in said, said
    code, _, why = davy("keys", "new", "--state", state)
    assert code == 1 and "rotate" in why, why


def test_yesterdays_folder_is_found_by_what_the_far_side_holds(state, tmp_path):
    lines = [line for file in sorted((state / "journal").iterdir()) for line in file.read_text().splitlines()]
    anchor = tmp_path / "checkpoint.json"
    anchor.write_text(lines[-1] + "\n")
    assert davy("journal", "verify", state, "--anchor", anchor)[0] == 0
    old = tmp_path / "journal"
    old.mkdir()
    seals = [n for n, line in enumerate(lines) if json.loads(line)["kind"] == "checkpoint"]
    (old / "000000000001.jsonl").write_text("\n".join(lines[: seals[0] + 1]) + "\n")
    assert davy("journal", "verify", old)[0] == 0
    code, said, _ = davy("journal", "verify", tmp_path, "--anchor", anchor)
    assert code == 1 and "truncated" in said, said


def test_entries_are_shown_by_what_is_asked_for(state):
    _, said, _ = davy("journal", "show", state, "--kind", "trip", "--json")
    trips = [json.loads(line) for line in said.splitlines()]
    assert trips and all(trip["kind"] == "trip" for trip in trips)
    area = trips[0]["body"]["area"]
    _, said, _ = davy("journal", "show", state, "--area", area, "--json")
    assert all(json.loads(line)["body"]["area"] == area for line in said.splitlines())
    assert len(davy("journal", "show", state, "--last", 3)[1].splitlines()) == 3
    assert davy("journal", "show", state, "--since", "2100-01-01")[1] == ""
    assert davy("journal", "show", state, "--since", "yesterday")[0] == 2


def test_a_bundle_verifies_and_a_damaged_folder_is_rescued(state, tmp_path):
    code, _, why = davy("journal", "export", state, "--to", tmp_path / "bundle")
    assert code == 0, why
    assert davy("journal", "verify", tmp_path / "bundle")[0] == 0
    sums = subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path / "bundle", capture_output=True)
    assert sums.returncode == 0
    assert davy("journal", "export", state, "--to", tmp_path / "bundle")[0] == 1, "nothing is written over"
    file = tmp_path / "bundle" / "journal" / "000000000001.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:4], "x" + lines[4], *lines[5:8], *lines[9:]]) + "\n")
    code, said, _ = davy("journal", "verify", tmp_path / "bundle")
    assert code == 1 and "000000000001.jsonl:5: entry 5 altered" in said, said
    code, _, _ = davy("journal", "salvage", tmp_path / "bundle", "--to", tmp_path / "saved")
    assert code == 1
    saved = (tmp_path / "saved" / "entries.jsonl").read_text().splitlines()
    assert saved == [*lines[:4], *lines[5:8], *lines[9:]]
    lost = (tmp_path / "saved" / "LOST.txt").read_text()
    assert "entry 5 altered" in lost and "entry 9 missing" in lost, lost


def test_where_no_journal_is_the_arguments_are_wrong(tmp_path):
    code, _, why = davy("journal", "verify", tmp_path)
    assert code == 2 and str(tmp_path) in why, why
