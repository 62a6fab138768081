"""Modbus devices of our own that misbehave byte by byte on request. They share nothing with Davy's own simulator.

A unit is a gas detector (holding registers 0 and 1) or a valve (coil 0, discrete inputs 0 and 1). Its gas value moves all
the time. Whatever must not be believed carries `LIE`, which no unit ever reads: to see it once as Good is a failure.
"""

import asyncio
import os
import random
import struct
import termios
import threading
import time
import tty

LIE = 987
STEP_S = 0.25
STEPS = 24

# After these the answer that counts has been given: the device is read all the same.
HARMLESS_RTU = ("split frame", "stray bytes before", "stray bytes after", "another master", "two answers", "local echo")
HARMLESS_TCP = ("split frame", "two answers")
EXCEPTIONS = (1, 2, 3, 4, 5, 6, 8, 10, 11)
_BOTH = (
    "no answer",
    "late answer",
    "wrong unit",
    "wrong function",
    "wrong length",
    "wrong echo",
    "write not carried out",
    "noise",
    "partial frame",
    "split frame",
    "two answers",
    *(f"exception {code}" for code in EXCEPTIONS),
)
_CLOSING = ("connection closed", "half-open connection")
FAULTS = {
    "tcp": (*_BOTH, "wrong transaction", "broken header", *_CLOSING),
    "rtu+tcp": (*_BOTH, "CRC error", *HARMLESS_RTU[1:4], "local echo", *_CLOSING),
    "rtu": (*_BOTH, "CRC error", *HARMLESS_RTU[1:4], "local echo"),
}


def harmless(kind, fault):
    return fault in (HARMLESS_TCP if kind == "tcp" else HARMLESS_RTU)


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def rtu(unit, pdu):
    data = bytes([unit]) + pdu
    return data + crc(data)


class Unit:
    """One device of a line: what it is, what it was asked and what was really carried out."""

    def __init__(self, number):
        self.number = number
        self.alarms = [(0.0, False)]
        self.coil = False
        self.fault = None
        self.mix = None
        self.struck = 0
        self.asked = 0
        self.struck_writes = 0
        self.writes = []

    @property
    def alarm(self):
        return self.alarms[-1][1]

    @alarm.setter
    def alarm(self, on):
        self.alarms.append((time.monotonic(), on))

    def raw(self, at=None):
        """What it reads now: a band of its own, below every level; or above the trip."""
        at = time.monotonic() if at is None else at
        alarm = [on for since, on in self.alarms if since <= at][-1]
        step = int(at / STEP_S) % STEPS
        return (600 if alarm else self.number * STEPS) + step

    def had(self, raw, within_s):
        """Whether it had that value in the last so many seconds."""
        now = time.monotonic()
        grid = [now - n * STEP_S / 2 for n in range(int(2 * within_s / STEP_S) + 2)]
        # What it had for less than a step of the grid, because the alarm came in the midst of it.
        turns = [since - 1e-6 for since, _ in self.alarms if since > now - within_s - STEP_S]
        return any(self.raw(at) == raw for at in grid + turns)

    def answer(self, pdu, lie=False):
        """The well-formed answer; with `lie`, to what it is not. Nothing is carried out then."""
        function = pdu[0]
        address, count = struct.unpack(">HH", pdu[1:5])
        if function in (1, 2):
            coil = lie or self.coil
            bits = [coil] if function == 1 else [coil, not coil]
            packed = sum(1 << n for n, bit in enumerate(bits[address : address + count]) if bit)
            return bytes([function, 1, packed])
        if function in (3, 4):
            words = [LIE if lie else self.raw(), 0] + [0] * 120
            return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words[address : address + count])
        if function == 5:
            if not lie:
                self.coil = count == 0xFF00
                self.writes.append((time.monotonic(), self.coil))
            return pdu[:5]
        return bytes([function | 0x80, 1])


class Line:
    """Units behind one port. `kind` is that of the link: tcp, rtu+tcp or rtu."""

    def __init__(self, world, kind, baud=None, path=None):
        self.world, self.kind, self.baud, self.path = world, kind, baud, path
        self.units = {}
        self.server = None
        self.port = 0
        self.writers = set()
        self.dead = set()
        self.master = self.slave = self.serial = None
        self.dice = random.Random(1)
        self.late_s = 0.3

    def unit(self, number):
        return self.units.setdefault(number, Unit(number))

    # --- coming and going ----------------------------------------------------------------------------------------

    def appear(self):
        self.world.run(self._appear())
        return self

    def vanish(self):
        self.world.run(self._vanish())

    async def _appear(self):
        if self.kind != "rtu":
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]
            return
        self.heard = b""
        if self.serial_settings():
            import serial

            self.serial = serial.Serial(self.path, exclusive=True, timeout=0, **self.serial_settings())
            fd = self.serial.fileno()
        else:
            self.master, self.slave = os.openpty()
            tty.setraw(self.slave)
            os.set_blocking(self.master, False)
            if os.path.islink(self.path):
                os.unlink(self.path)
            os.symlink(os.ttyname(self.slave), self.path)
            # Only Davy holds the slave open; until it does, reading the master fails and is tried again.
            os.close(self.slave)
            fd = self.master
        self.reading = asyncio.ensure_future(self._read_port(fd))

    def serial_settings(self):
        return getattr(self, "settings", None)

    async def _read_port(self, fd):
        while True:
            try:
                data = os.read(fd, 512)
            except BlockingIOError:
                data = b""
            except OSError:
                data = b""
            if not data:
                await asyncio.sleep(0.002)
                continue
            self.heard += data
            self.heard = self._take_rtu(self.heard, lambda out: self._put(fd, out), lambda: None)

    @staticmethod
    def _put(fd, data):
        try:
            os.write(fd, data)
        except OSError:
            pass

    async def _vanish(self):
        if self.server:
            self.server.close()
            self.server = None
        for writer in list(self.writers):
            writer.transport.abort()
        if self.master is not None:
            self.reading.cancel()
            os.unlink(self.path)
            os.close(self.master)
            self.master = None
        if self.serial is not None:
            self.reading.cancel()
            self.serial.close()
            self.serial = None

    # --- frames --------------------------------------------------------------------------------------------------

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        heard = b""
        try:
            while data := await reader.read(1024):
                heard += data
                take = self._take_tcp if self.kind == "tcp" else self._take_rtu
                heard = take(heard, writer.write, writer.close)
        except ConnectionError:
            pass
        finally:
            self.writers.discard(writer)
            self.dead.discard(writer)
            writer.close()

    def _take_tcp(self, heard, write, close):
        while len(heard) >= 7:
            transaction, _, length, unit = struct.unpack(">HHHB", heard[:7])
            if len(heard) < 6 + length:
                break
            self._begin(unit, heard[7 : 6 + length], write, close, transaction)
            heard = heard[6 + length :]
        return heard

    def _take_rtu(self, heard, write, close):
        while len(heard) >= 8:
            size = 9 + heard[6] if heard[1] in (15, 16) else 8
            if len(heard) < size:
                break
            if crc(heard[: size - 2]) == heard[size - 2 : size]:
                self._begin(heard[0], heard[1 : size - 2], write, close, 0)
                heard = heard[size:]
            else:
                heard = heard[1:]
        return heard

    def _begin(self, number, pdu, write, close, transaction):
        # Of a half-open connection nobody is left at this end.
        if number in self.units and getattr(write, "__self__", None) not in self.dead:
            task = self.world.loop.create_task(self._reply(self.units[number], pdu, write, close, transaction))
            self.world.tasks.add(task)
            task.add_done_callback(self.world.tasks.discard)

    async def _pace(self, size):
        if self.baud:
            await asyncio.sleep(size * 11 / self.baud)

    async def _reply(self, unit, pdu, write, close, transaction):
        unit.asked += 1
        fault = unit.fault
        if unit.mix:
            fault = self.dice.choice(unit.mix) if self.dice.random() < 0.5 else None
        frame = lambda pdu, number=unit.number, of=transaction: (
            struct.pack(">HHHB", of, 0, len(pdu) + 1, number) + pdu if self.kind == "tcp" else rtu(number, pdu)
        )
        say = write if self.kind == "rtu" else lambda data: None if self.gone(write) else write(data)
        await self._pace(8)
        if fault is None:
            out = frame(unit.answer(pdu))
            await self._pace(len(out))
            return say(out)
        unit.struck += 1
        unit.struck_writes += pdu[0] == 5
        lie = unit.answer(pdu, lie=True)
        noise = bytes(self.dice.randrange(256) for _ in range(self.dice.randrange(1, 20)))
        match fault.split():
            case ["no", "answer"]:
                return
            case ["half-open", "connection"]:
                self.dead.add(write.__self__)
            case ["late", "answer"]:
                await asyncio.sleep(self.late_s)
                say(frame(lie))
            case ["wrong", "unit"]:
                say(frame(lie, unit.number + 1))
            case ["wrong", "function"]:
                say(frame(bytes([{3: 4, 4: 3, 1: 2, 2: 1, 5: 6}[lie[0]]]) + lie[1:]))
            case ["wrong", "length"]:
                longer = bytes([lie[0], lie[1] + 2]) + lie[2:] + b"\x12\x34" if lie[0] < 5 else lie + b"\0"
                say(frame(longer))
            case ["wrong", "echo"]:
                # A read has no echo but its count: one register less than was asked for.
                if lie[0] == 5:
                    say(frame(lie[:2] + bytes([lie[2] ^ 1]) + lie[3:]))
                else:
                    say(frame(bytes([lie[0], lie[1] + 1]) + lie[2:]))
            case ["write", "not", "carried", "out"]:
                # Answered as if it had been; what is read is true.
                say(frame(lie if pdu[0] == 5 else unit.answer(pdu)))
            case ["wrong", "transaction"]:
                say(frame(lie, of=(transaction + 1) % 65536))
            case ["broken", "header"]:
                good = frame(lie)
                say(good[:2] + b"\x12\x34" + good[4:])
            case ["CRC", "error"]:
                good = frame(lie)
                say(good[:-1] + bytes([good[-1] ^ 0x10]))
            case ["noise"]:
                say(noise)
            case ["partial", "frame"]:
                good = frame(lie)
                say(good[: len(good) // 2])
            case ["exception", code]:
                say(frame(bytes([pdu[0] | 0x80, int(code)])))
            case ["connection", "closed"]:
                close()
            case ["split", "frame"]:
                good = frame(unit.answer(pdu))
                say(good[: len(good) // 2])
                await asyncio.sleep(0.01)
                say(good[len(good) // 2 :])
            case ["stray", "bytes", "before"]:
                say(noise + frame(unit.answer(pdu)))
            case ["stray", "bytes", "after"]:
                say(frame(unit.answer(pdu)) + noise)
            case ["another", "master"]:
                theirs = rtu(99, bytes([3, 0, 0, 0, 2])) + rtu(99, bytes([3, 4]) + struct.pack(">HH", LIE, 0))
                say(theirs + frame(unit.answer(pdu)))
            case ["two", "answers"]:
                say(frame(unit.answer(pdu)) + frame(lie))
            case ["local", "echo"]:
                say(rtu(unit.number, pdu) + frame(unit.answer(pdu)))
            case other:
                raise AssertionError(f"no such fault: {other}")

    def gone(self, write):
        return write.__self__.is_closing()


class World:
    """Lines, on a thread and an event loop of their own."""

    def __init__(self):
        self.lines, self.tasks = [], set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def line(self, kind, **how):
        line = Line(self, kind, **how)
        self.lines.append(line)
        return line

    def stop(self):
        async def end():
            for line in self.lines:
                await line._vanish()
            # Connections end by themselves now; what answers late is not awaited for long.
            rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            if rest:
                await asyncio.wait(rest, timeout=2)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
