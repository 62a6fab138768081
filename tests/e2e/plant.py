"""Modbus/TCP devices of our own that note when they are asked and misbehave on request."""

import asyncio
import struct
import threading
import time

from bench import free_port

# What a unit can do instead of answering, by name.
MOODS = (
    "good",
    "silent",
    "exception",
    "wrong unit",
    "wrong function",
    "too few bytes",
    "wrong count",
    "wrong transaction",
    "garbage",
    "endless",
    "closes",
)


class Unit:
    """A device: a gas detector in holding registers, a valve in coils and discrete inputs."""

    def __init__(self):
        self.words = [0] * 16
        self.coils = [False] * 16
        self.limits = [False, True] + [False] * 14
        self.mood = "good"
        self.asked = []
        self.written = []

    def gas(self, pct_lel):
        self.words[0] = round(pct_lel * 10)

    def periods(self, since):
        """The times between one poll and the next, of the polls after `since`."""
        at = [t for t in list(self.asked) if t >= since]
        return [b - a for a, b in zip(at, at[1:])]

    def answer(self, request):
        """The answer of a device that is well."""
        function = request[0]
        if function in (1, 2):
            address, count = struct.unpack(">HH", request[1:5])
            bits = (self.coils if function == 1 else self.limits)[address : address + count]
            packed = sum(1 << n for n, bit in enumerate(bits) if bit)
            size = (count + 7) // 8
            return bytes([function, size]) + packed.to_bytes(size, "little")
        if function in (3, 4):
            address, count = struct.unpack(">HH", request[1:5])
            words = self.words[address : address + count]
            return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words)
        if function == 5:
            address, value = struct.unpack(">HH", request[1:5])
            self.coils[address] = value == 0xFF00
            self.written.append((time.monotonic(), address, value))
            if self.coils[0]:
                self.limits[0:2] = [True, False]
            return request[:5]
        return bytes([function | 0x80, 1])


class Link:
    """A listening port with units behind it. It can be away."""

    def __init__(self, plant, port=None):
        self.plant = plant
        self.port = port or free_port()
        self.units = {}
        self.server = None
        self.peers = set()
        self.connections = 0

    def unit(self, number):
        return self.units.setdefault(number, Unit())

    def appear(self):
        self.plant.run(self._listen())
        return self

    def vanish(self):
        self.plant.run(self._hang_up())

    async def _listen(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _hang_up(self):
        if self.server:
            self.server.close()
            self.server = None
        for peer in list(self.peers):
            peer.transport.abort()

    async def _serve(self, reader, writer):
        self.peers.add(writer)
        self.connections += 1
        try:
            while True:
                transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                request = await reader.readexactly(length - 1)
                if unit in self.units:
                    await self._answer(writer, self.units[unit], transaction, unit, request)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.peers.discard(writer)
            writer.close()

    async def _answer(self, writer, device, transaction, unit, request):
        device.asked.append(time.monotonic())
        frame = lambda pdu, of=None: struct.pack(">HHHB", transaction, 0, len(pdu) + 1, of or unit) + pdu
        match device.mood:
            case "good":
                writer.write(frame(device.answer(request)))
            case "silent":
                return
            case "exception":
                writer.write(frame(bytes([request[0] | 0x80, 4])))
            case "wrong unit":
                writer.write(frame(device.answer(request), unit + 1))
            case "wrong function":
                writer.write(frame(bytes([0x2B]) + device.answer(request)[1:]))
            case "too few bytes":
                whole = frame(device.answer(request))
                writer.write(whole[: len(whole) - 1])
            case "wrong count":
                # Well formed, but one register where two were asked for.
                writer.write(frame(bytes([request[0], 2, 0, 0])))
            case "wrong transaction":
                transaction = (transaction + 1) % 65536
                writer.write(frame(device.answer(request)))
            case "garbage":
                writer.write(bytes((n * 73 + 29) % 256 for n in range(300)))
            case "endless":
                for _ in range(200):
                    writer.write(frame(device.answer(request)) * 50)
                    await writer.drain()
            case "closes":
                writer.close()
        await writer.drain()


class Plant:
    """Links, on a thread and an event loop of their own."""

    def __init__(self):
        self.links = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def link(self, appear=True):
        link = Link(self)
        self.links.append(link)
        return link.appear() if appear else link

    def stop(self):
        async def end():
            for link in self.links:
                await link._hang_up()
            rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
