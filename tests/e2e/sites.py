"""Site files for the tests. `STATE` stands for the state folder."""


def head(outputs="act", gateway="test-gw"):
    return f"""
[gateway]
id = "{gateway}"
state = "STATE"
outputs = "{outputs}"
[site]
name = {{ zh = "试验", en = "Test" }}
[[gas]]
id = "lpg"
lel_pct_vol = 2.0
[[area]]
id = "bottle-room"
kind = "cn-lpg-bottle-room"
"""


def bus(name, port, poll_ms=200, timeout_ms=200):
    return f"""
[[bus]]
id = "{name}"
link = "tcp://127.0.0.1:{port}"
poll_ms = {poll_ms}
timeout_ms = {timeout_ms}
"""


def detector(name, bus_name, unit, off_delay_s=0.2, trip=None):
    set_points = f'set_points = {{ unit = "%LEL", trip = {trip:.1f} }}\n' if trip else ""
    return f"""
[[device]]
id = "{name}"
bus = "{bus_name}"
unit = {unit}
profile = "lel-2reg"
area = "bottle-room"
[[point]]
id = "gas.{name}"
device = "{name}"
signal = "value"
gas = "lpg"
off_delay_s = {off_delay_s}
{set_points}"""


def valve(name, bus_name, unit, travel_s=3.0):
    return f"""
[[device]]
id = "{name}-io"
bus = "{bus_name}"
unit = {unit}
profile = "valve-2limit"
area = "bottle-room"
[[valve]]
id = "{name}"
device = "{name}-io"
output = "close"
closed = "closed"
open = "open"
travel_s = {travel_s}
"""


def trip(causes, effect, name="shutoff", reset_hold_s=0.2, bad_delay_s=10.0):
    when = ", ".join(f'"{cause}"' for cause in causes)
    return f"""
[[trip]]
id = "{name}"
vote = "1oo{len(causes)}"
when = [{when}]
effects = ["{effect}"]
reset_hold_s = {reset_hold_s}
bad_delay_s = {bad_delay_s}
"""


def destination(port, name="control-room"):
    return f"""
[[destination]]
id = "{name}"
broker = "mqtt://127.0.0.1:{port}"
keep_alive_s = 5
"""


def bottle_room(device_port, broker_port, outputs="act", level_2=None):
    """Two LPG detectors and a shut-off valve on one line, told to one broker."""
    return (
        head(outputs)
        + bus("canteen", device_port)
        + detector("lpg-1", "canteen", 1, trip=level_2)
        + detector("lpg-2", "canteen", 2)
        + valve("valve", "canteen", 3)
        + trip(["gas.lpg-1:trip", "gas.lpg-2:trip"], "valve")
        + destination(broker_port)
    )
