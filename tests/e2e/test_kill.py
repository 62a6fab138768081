"""Kill -9 of the agent and restarts of the broker at random moments: no event is lost, and a copy is known as one."""

import os
import random
import time

from bench import first_copies, wait_until
from sites import bottle_room

BLOWS = 50
# Set DAVY_SEED to repeat a run.
SEED = int(os.environ.get("DAVY_SEED", random.SystemRandom().randrange(2**32)))


def upheaval(chance, agent, broker, device):
    """Makes something happen, so that there is something to lose."""
    what = chance.random()
    if what < 0.75:
        device.gas(chance.choice([0.0, 12.0, 22.0, 30.0]), unit=chance.choice([1, 2]))
    elif what < 0.9:
        agent.order("ack", "--all")
    else:
        agent.order("reset", "shutoff")


def test_no_event_is_lost_at_fifty_random_moments(bench, pymodbus_server):
    print(f"DAVY_SEED={SEED}")
    chance = random.Random(SEED)
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    device = bench.peer(pymodbus_server)
    agent = bench.davy(bottle_room(device.port, broker.port)).start().await_start()
    kills = 0
    for _ in range(BLOWS):
        until = time.monotonic() + chance.uniform(0.0, 1.6)
        while time.monotonic() < until:
            upheaval(chance, agent, broker, device)
            time.sleep(chance.uniform(0.0, 0.15))
        if chance.random() < 0.7:
            assert agent.process.alive(), agent.log()
            agent.process.kill()
            kills += 1
            agent.start()
        else:
            broker.restart()
    agent.await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    # One more event that must get through behind all others. It is waited for before the end, because the broker may
    # have been restarted last: what is not told at the end is told after the next start, and there is none here.
    assert agent.order("reset", "nothing").returncode == 1
    subscriber.wait_event("command", command="reset nothing", patience_s=60)
    agent.end()

    entries, recorded = agent.journal(), agent.journal_lines()
    assert [e["kind"] for e in entries].count("started") == len({e["boot"] for e in entries}) <= kills + 1
    assert len({e["boot"] for e in entries}) > kills / 2, "most runs came as far as their first entry"
    assert sum(e["kind"] == "alarm" for e in entries) > BLOWS / 2, "something happened meanwhile"
    assert not [e for e in entries if e["kind"] == "gap"]
    told = lambda: first_copies(subscriber.lines())
    wait_until(lambda: len(told()) >= len(recorded), lambda: f"{len(recorded)} events; {len(told())} were told", 60)
    assert told() == recorded
    copies = len(subscriber.lines()) - len(recorded)
    print(f"{kills} kills, {BLOWS - kills} restarts, {len(recorded)} events told, {copies} copies")
    assert "panicked" not in agent.log()


def test_what_happens_while_the_broker_is_away_is_told_in_order_when_it_comes(bench, pymodbus_server):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    device = bench.peer(pymodbus_server)
    agent = bench.davy(bottle_room(device.port, broker.port)).start()
    subscriber.wait_event("started")
    broker.stop()
    device.gas(30.0)
    agent.wait_recorded("element", phase="confirmed")
    assert device.coils() == ["coil 3 1"], "no broker is needed to shut a valve"
    for _ in range(3):
        agent.process.kill()
        agent.start().await_start()
    broker.start()
    subscriber.wait_event("element", phase="confirmed")
    agent.end()
    recorded = agent.journal_lines()
    wait_until(lambda: len(first_copies(subscriber.lines())) >= len(recorded), "all are told")
    assert first_copies(subscriber.lines()) == recorded
    assert len(agent.recorded("started")) == 4
