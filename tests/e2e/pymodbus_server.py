"""One bottle room behind pymodbus: two LPG detectors (units 1 and 2) and a shut-off valve (unit 3).

Over Modbus/TCP; or as the arguments say: `rtu DEVICE`, `rtu+tcp`, `tls CA CERTIFICATE KEY`.
Standard input: `gas UNIT TENTHS_OF_%LEL`, `status UNIT CODE`. Standard output: `port N`, then `coil UNIT VALUE` at each
write.
"""

import asyncio
import logging
import ssl
import sys
import threading

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
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
    units, address = [unit(1), unit(2), unit(3)], ("127.0.0.1", 0)
    match sys.argv[1:]:
        case ["rtu", device]:
            server = ModbusSerialServer(units, port=device, baudrate=19200)
        case ["rtu+tcp"]:
            server = ModbusTcpServer(units, framer=FramerType.RTU, address=address)
        case ["tls", ca, certificate, key]:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
            context.load_cert_chain(certificate, key)
            context.verify_mode = ssl.CERT_REQUIRED
            # Modbus/TCP Security keeps the header of Modbus/TCP.
            server = ModbusTlsServer(units, framer=FramerType.SOCKET, address=address, sslctx=context)
        case []:
            server = ModbusTcpServer(units, address=address)
    await server.listen()
    sockets = getattr(server.transport, "sockets", None)
    print(f"port {sockets[0].getsockname()[1] if sockets else 0}", flush=True)
    threading.Thread(target=take_orders, daemon=True).start()
    await asyncio.Event().wait()


logging.disable()
asyncio.run(main())
