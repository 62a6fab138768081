"""One device that fails costs the others next to nothing, on one line and on many; who was away is found again."""

import statistics
import time

import pytest
from bench import wait_until
from sites import bottle_room, bus, detector, head, trip, valve

DEVICES = 32
POLL_S, TIMEOUT_S = 0.5, 0.3
WINDOW_S = 8


def thirty_two(plant, layout):
    """A site of 32 detectors on one link or on 32; gives the site file and the units."""
    links = [plant.link() for _ in range(1 if layout == "one link" else DEVICES)]
    timing = {"poll_ms": int(POLL_S * 1000), "timeout_ms": int(TIMEOUT_S * 1000)}
    site = head() + "".join(bus(f"line-{n}", link.port, **timing) for n, link in enumerate(links))
    units = []
    for n in range(DEVICES):
        line = 0 if len(links) == 1 else n
        site += detector(f"d{n}", f"line-{line}", n + 1)
        units.append(links[line].unit(n + 1))
    return site, units


def watch(units, patience_s=WINDOW_S):
    """The periods at which each unit was polled during a window."""
    since = time.monotonic()
    time.sleep(patience_s)
    return [unit.periods(since) for unit in units]


@pytest.mark.parametrize("layout", ["one link", "32 links"])
def test_one_dead_device_of_32_leaves_the_polls_of_the_others_alone(bench, layout):
    plant = bench.plant()
    site, units = thirty_two(plant, layout)
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.d0", "gas.d31")
    dead, others = units[7], units[:7] + units[8:]
    healthy = watch(others, 4)
    assert all(abs(statistics.median(p) - POLL_S) <= 0.1 * POLL_S for p in healthy), healthy

    dead.mood = "silent"
    agent.wait_alarm("d7:comm-lost")
    asked_before = len(dead.asked)
    periods = watch(others)
    asked = len(dead.asked) - asked_before
    medians = [statistics.median(p) for p in periods]
    assert all(abs(m - POLL_S) <= 0.1 * POLL_S for m in medians), medians
    longest = max(p for unit in periods for p in unit)
    # On its own link it delays nobody; on theirs by one time-out each time that it is asked.
    bound = POLL_S * 1.1 + (TIMEOUT_S if layout == "one link" else 0)
    assert longest <= bound + 0.1, f"{longest:.3f} s between two polls"
    late_polls = [sum(p > 1.1 * POLL_S for p in unit) for unit in periods]
    assert max(late_polls) <= asked, f"{max(late_polls)} late polls of one device for {asked} time-outs"
    assert 1 <= asked <= 6, f"a dead device was asked {asked} times in {WINDOW_S} s"
    print(
        f"{layout}: median periods {min(medians):.3f} to {max(medians):.3f} s, longest {longest:.3f} s, "
        f"{sum(late_polls)} of {sum(map(len, periods))} late; the dead one asked {asked} times"
    )
    assert agent.point("gas.d7")["quality"] == "comm-lost"
    assert len(agent.status()["alarms"]) == 1, "nobody else is alarmed"

    dead.mood = "good"
    agent.wait_good("gas.d7")
    wait_until(lambda: agent.alarm("d7:comm-lost")["state"] == "returned-unacknowledged", "the alarm is gone")
    steady = watch([dead], 3)[0]
    assert abs(statistics.median(steady) - POLL_S) <= 0.1 * POLL_S, steady
    agent.end()


def test_a_link_that_is_refused_or_hangs_leaves_other_links_alone(bench):
    plant = bench.plant()
    site, units = thirty_two(plant, "32 links")
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.d0", "gas.d31")
    plant.links[3].vanish()
    agent.wait_alarm("d3:comm-lost")
    periods = watch(units[:3] + units[4:], 4)
    assert all(abs(statistics.median(p) - POLL_S) <= 0.1 * POLL_S for p in periods), periods
    plant.links[3].appear()
    agent.wait_good("gas.d3")
    agent.end()


def test_all_that_is_absent_at_the_start_is_found_when_it_comes(bench):
    plant = bench.plant()
    link = plant.link(appear=False)
    broker = bench.mosquitto(start=False)
    agent = bench.davy(bottle_room(link.port, broker.port)).start().await_start()
    agent.wait_alarm("lpg-1:comm-lost")
    agent.wait_alarm("valve-io:comm-lost")
    status = agent.order("status").stdout
    assert "comm-lost" in status or "not-heard" in status, status

    broker.start()
    subscriber = bench.subscriber(broker.port)
    subscriber.wait_event("started")
    subscriber.wait_event("alarm", key="lpg-1:comm-lost")

    link.unit(1).gas(5.0)
    link.unit(2)
    link.unit(3)
    link.appear()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    assert agent.point("gas.lpg-1")["value"] == 5.0
    subscriber.wait_event("alarm", key="lpg-1:comm-lost", cause="cleared")
    agent.end()


def test_a_detector_that_stays_silent_shuts_the_valve_in_the_end(bench):
    plant = bench.plant()
    link = plant.link()
    site = (
        head()
        + bus("canteen", link.port)
        + detector("lpg-1", "canteen", 1)
        + valve("valve", "canteen", 3)
        + trip(["gas.lpg-1:trip"], "valve", bad_delay_s=1.0)
    )
    detecting, shutting = link.unit(1), link.unit(3)
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.lpg-1")
    detecting.mood = "silent"
    wait_until(lambda: shutting.written, "what is not known to be safe is not safe")
    agent.wait_recorded("trip", tripped=True, causes=["gas.lpg-1:trip (bad)"])
    agent.end()
