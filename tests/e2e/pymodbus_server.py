"""One bottle room behind pymodbus: two LPG detectors (units 1, 2) and a shut-off valve (unit 3).

Standard input: `gas UNIT TENTHS_OF_%LEL`, `status UNIT CODE`. Standard output: `port N`, then `coil UNIT VALUE` at each write.
"""

import asyncio
import sys
import threading

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import ModbusTcpServer


class Coil(ModbusSequentialDataBlock):
    """Closing the coil moves the limit switches at once."""

    def __init__(self, unit, limits):
        super().__init__(0, [False] * 8)
        self.unit, self.limits = unit, limits

    def setValues(self, address, values):
        super().setValues(address, values)
        closed = bool(self.values[0]) or bool(self.limits.values[0])
        self.limits.values[0], self.limits.values[1] = closed, not closed
        print(f"coil {self.unit} {int(bool(self.values[0]))}", flush=True)


def unit(number):
    limits = ModbusSequentialDataBlock(0, [False, True] + [False] * 6)
    registers = ModbusSequentialDataBlock(0, [0] * 16)
    return ModbusSlaveContext(di=limits, co=Coil(number, limits), hr=registers, ir=registers)


async def main():
    units = {n: unit(n) for n in (1, 2, 3)}
    server = ModbusTcpServer(ModbusServerContext(slaves=units, single=False), address=("127.0.0.1", 0))
    await server.listen()
    port = server.transport.sockets[0].getsockname()[1]
    print(f"port {port}", flush=True)

    def orders():
        for line in sys.stdin:
            what, number, value = line.split()
            units[int(number)].store["h"].values[{"gas": 0, "status": 1}[what]] = int(value)

    threading.Thread(target=orders, daemon=True).start()
    await asyncio.Event().wait()


asyncio.run(main())
