"""One bottle room behind pymodbus: two LPG detectors (units 1 and 2) and a shut-off valve (unit 3).

Standard input: `gas UNIT TENTHS_OF_%LEL`, `status UNIT CODE`. Standard output: `port N`, then `coil UNIT VALUE` at each
write.
"""

import asyncio
import logging
import sys
import threading

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

GAS = {1: [0, 0], 2: [0, 0], 3: [0, 0]}
CLOSED = {1: False, 2: False, 3: False}


def unit(number):
    """Gas value and status code in holding registers 0 and 1, the closing coil 0, the limits in discrete inputs 0, 1."""

    async def refresh(function, _start, _address, _count, registers, written):
        if function == 3:
            registers[0:2] = GAS[number]
        elif function == 2:
            registers[0] = 1 if CLOSED[number] else 2
        elif function == 5 and written is not None:
            print(f"coil {number} {int(written[0])}", flush=True)
            # Withdrawing the demand does not open a valve.
            CLOSED[number] |= bool(written[0])

    bits = lambda: [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    words = lambda: [SimData(0, values=[0] * 16, datatype=DataType.REGISTERS)]
    return SimDevice(number, (bits(), bits(), words(), words()), action=refresh)


def take_orders():
    for line in sys.stdin:
        what, number, value = line.split()
        GAS[int(number)][{"gas": 0, "status": 1}[what]] = int(value)


async def main():
    server = ModbusTcpServer([unit(1), unit(2), unit(3)], address=("127.0.0.1", 0))
    await server.listen()
    print(f"port {server.transport.sockets[0].getsockname()[1]}", flush=True)
    threading.Thread(target=take_orders, daemon=True).start()
    await asyncio.Event().wait()


logging.disable()
asyncio.run(main())
