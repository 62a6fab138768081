"""Something at a broker's address that is no good broker."""

import asyncio
import threading

CONNACK = b"\x20\x02\x00\x00"

# What it does with whoever connects, by name.
HABITS = (
    "refuses",
    "garbage",
    "silent",
    "closes at once",
    "closes after CONNECT",
    "never acknowledges",
    "acknowledges nothing that was sent",
    "a packet without end",
    "reads nothing",
)


class BrokenBroker:
    def __init__(self, habit):
        self.habit = habit
        self.connections = 0
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self._misbehave(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _misbehave(self, reader, writer):
        if self.habit == "closes at once":
            return
        if self.habit == "reads nothing":
            writer.write(CONNACK)
            await asyncio.Event().wait()
        await reader.read(4096)
        match self.habit:
            case "refuses":
                writer.write(b"\x20\x02\x00\x05")
            case "garbage":
                writer.write(bytes((n * 89 + 7) % 256 for n in range(5000)))
            case "silent":
                await asyncio.Event().wait()
            case "never acknowledges":
                writer.write(CONNACK)
                while await reader.read(4096):
                    pass
            case "acknowledges nothing that was sent":
                writer.write(CONNACK)
                while await reader.read(4096):
                    writer.write(b"\x40\x02\xff\xf0")
                    await writer.drain()
            case "a packet without end":
                writer.write(CONNACK + b"\x30\xff\xff\xff\x7f")
                while True:
                    writer.write(bytes(65536))
                    await writer.drain()
        await writer.drain()

    def stop(self):
        async def end():
            self.server.close()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        self._run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
