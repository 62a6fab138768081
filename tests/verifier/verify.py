"""Verifies journals as docs/journal.md describes them; written from that page alone.

verify.py DIR...: a line for each, `sound` or `damaged`, and what is wrong first. Exit 0 where all are sound.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAME = re.compile(r"(\d+)\.jsonl(\.damaged-\d+)?")
FIVE_MINUTES = 5 * 60 * 1_000_000
TEN_MINUTES = 10 * 60 * 1_000_000


class Damaged(Exception):
    """What is wrong."""


def need(condition, what):
    if not condition:
        raise Damaged(what)


def once(pairs):
    names = [name for name, _ in pairs]
    need(len(names) == len(set(names)), "a key comes twice")
    return dict(pairs)


def is_hex(text, digits):
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", text) is not None


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def files(folder):
    inner = folder / "journal"
    folder = inner if inner.is_dir() else folder
    found = [(int(m[1]), m[2] is None, p) for p in folder.iterdir() if (m := NAME.fullmatch(p.name))]
    need(found, "there is no journal")
    return sorted(found, key=lambda f: (f[0], f[1], f[2].name))


class Journal:
    """A fold over the lines."""

    def __init__(self):
        self.gateway = self.prev = self.boot = self.key = None
        self.seq = 0
        self.boots = set()
        self.latest_us = 0
        self.unsealed_us = None
        self.since, self.counts = None, {}
        self.whole = True

    def line(self, line):
        try:
            entry = json.loads(line.decode("utf-8"), object_pairs_hook=once)
        except (UnicodeDecodeError, json.JSONDecodeError) as e:
            raise Damaged(f"no entry: {e}") from e
        self.shape(entry)
        if self.gateway is None:
            self.gateway = entry["gateway"]
            self.prev = hashlib.sha256(f"davy journal v1 {self.gateway}".encode()).hexdigest()
        need(entry["gateway"] == self.gateway, "another gateway's")
        need(entry["seq"] == self.seq + 1, f"entry {entry['seq']} where {self.seq + 1} is due")
        need(entry["prev"] == self.prev, "not the hash of the line before")
        self.run(entry)
        kind, body = entry["kind"], entry["body"]
        if kind == "checkpoint":
            self.checkpoint(line, body)
        else:
            self.is_sealed_in_time(entry)
            if kind == "key":
                self.announce(line, body)
            else:
                need("signature" not in body, "signed, and of a kind that is not")
            if self.since is None:
                self.since = entry["seq"]
            self.counts[kind] = self.counts.get(kind, 0) + 1
        self.seq = entry["seq"]
        self.prev = hashlib.sha256(line).hexdigest()

    def shape(self, entry):
        need(isinstance(entry, dict), "no object")
        need(is_number(entry.get("v")) and entry["v"] == 1, "not of version 1")
        need(isinstance(entry.get("body"), dict), "no body")
        need(is_hex(entry.get("boot"), 16) and is_hex(entry.get("prev"), 64), "no boot or prev")
        need(is_number(entry.get("seq")) and is_number(entry.get("up_us")), "no seq or up_us")
        need(all(isinstance(entry.get(name), str) for name in ("gateway", "kind", "utc")), "a text is missing")

    def run(self, entry):
        if entry["boot"] != self.boot:
            self.boot = entry["boot"]
            need(self.boot not in self.boots, "a run that had ended")
            self.boots.add(self.boot)
            self.latest_us, self.unsealed_us = entry["up_us"], None
        need(self.latest_us - entry["up_us"] <= TEN_MINUTES, "older than what stands before it")
        self.latest_us = max(self.latest_us, entry["up_us"])

    def is_sealed_in_time(self, entry):
        if self.key is None:
            return
        if self.unsealed_us is None:
            self.unsealed_us = entry["up_us"]
        need(entry["up_us"] - self.unsealed_us <= FIVE_MINUTES, "a checkpoint is missing")

    def checkpoint(self, line, body):
        self.signed(line, body)
        need(self.key is None or body["signer"] == self.key, "signed by a key that is not in force")
        self.key = body["signer"]
        need(body.get("head") == self.prev and body.get("through") == self.seq, "another head")
        if body.get("since") == self.since:
            need(body.get("counts") == self.counts, "other counts")
        self.since, self.counts, self.unsealed_us = None, {}, None

    def announce(self, line, body):
        self.signed(line, body)
        key, signer, step = body.get("key"), body["signer"], body.get("step")
        need(is_hex(key, 64), "no key")
        if step in ("announced", "current"):
            need(signer == key and self.key in (None, key), "another key")
        elif step == "rotated":
            need(self.key in (None, signer), "not signed by the key in force")
        else:
            raise Damaged("a key that nobody vouches for")
        self.key = key

    def signed(self, line, body):
        signer, signature = body.get("signer"), body.get("signature")
        need(is_hex(signer, 64) and is_hex(signature, 128), "not signed")
        field = f'"signature":"{signature}"'.encode()
        need(line.count(field) == 1, "not one signature")
        message = line.replace(field, b'"signature":""')
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError) as e:
            raise Damaged("the signature does not fit") from e


def verify(folder):
    """What is wrong first; None where nothing is."""
    journal = Journal()
    where = folder
    try:
        for first, _, path in files(folder):
            where = path.name
            text = path.read_bytes()
            need(text, "an empty file")
            need(text.endswith(b"\n"), "cut off")
            need(first == journal.seq + 1, f"entry {first} where {journal.seq + 1} is due")
            for n, line in enumerate(text[:-1].split(b"\n"), 1):
                where = f"{path.name}:{n}"
                journal.line(line)
    except Damaged as e:
        return f"{where}: {e}"
    return None


def main():
    wrong = [verify(Path(folder)) for folder in sys.argv[1:]]
    for what in wrong:
        print("sound" if what is None else f"damaged {what}")
    return int(any(wrong))


if __name__ == "__main__":
    sys.exit(main())
