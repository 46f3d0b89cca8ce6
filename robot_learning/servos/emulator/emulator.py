"""Servos on a pseudo-terminal: any program that drives real ones can be pointed at it.

The speed of a pseudo-terminal is void, so that replies are held back for the time that their bytes
and those of the request would take on the wire, for the servos' return delay, and for the adapter.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import termios
import threading
import time
import tty
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from select import select

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.emulator.families import FAMILIES
from robot_learning.servos.emulator.faults import REPLY_FAULTS, Fault
from robot_learning.servos.emulator.port_link import PortLink
from robot_learning.servos.emulator.reply import Reply
from robot_learning.servos.emulator.shafts import Drive, FreeShafts, Shafts
from robot_learning.servos.models.servo_model import ServoModel
from robot_learning.servos.wire.protocol import Packet, wire_time_s

ADAPTER_S = 0.0005
"""What a USB adapter adds to a request and its replies, together."""
_IDLE_S = 0.02
"""How soon a stop is noticed, and a program that opens the port."""
_CHUNK = 4096


class ServoEmulator:
    """Servos of one protocol behind a port.

    Attributes:
        path: path of the port; it stays the same when the adapter is plugged in again.
        servos: servos by the id that they had at the start.
        shafts: what they turn.
        request_count: number of packets that were understood.
        heard_bytes: number of bytes that were taken in.
    """

    def __init__(
        self,
        models: Mapping[int, ServoModel],
        *,
        baud_rate: int = 1_000_000,
        adapter_s: float = ADAPTER_S,
        shafts: Shafts | None = None,
        faults: Sequence[Fault] = (),
        path: Path | None = None,
    ) -> None:
        """Make the servos; `start` makes their port work.

        Args:
            models: model of each servo, by its id.
            baud_rate: bits a second on the wire.
            adapter_s: seconds that the adapter adds to each request with its replies.
            shafts: what the servos turn; None means shafts without a load.
            faults: faults to come.
            path: path of the port, at which nothing else is; None means one in a new folder.

        Raises:
            ConfigurationError: There is no servo, not all speak one protocol, or no port can be
                made at the path.
        """
        protocols = {model.protocol.name for model in models.values()}
        if len(protocols) != 1:
            listed = ", ".join(sorted(protocols)) or "no servo"
            raise ConfigurationError(f"an emulated bus needs servos of one protocol, not {listed}")
        self._family = FAMILIES[protocols.pop()]
        self.servos = {key: self._family.servo(model, key) for key, model in models.items()}
        self.shafts: Shafts = shafts or FreeShafts(models)
        self.request_count = 0
        self.heard_bytes = 0
        self._baud_rate = baud_rate
        self._adapter_s = adapter_s
        self._check(faults)
        self._faults = list(faults)
        self._dead: set[int] = set()
        self._echoes = False
        self._held: list[Reply] = []
        # When to send, and what; in that order.
        self._due: list[tuple[int, bytes]] = []
        self._stream = b""
        self._line_free_ns = 0
        self._moved_ns = self._start_ns = time.monotonic_ns()
        self._folder = None if path else Path(tempfile.mkdtemp(prefix="servos-"))
        self.path = path or Path(f"{self._folder}/port")
        self._link = PortLink(self.path)
        self._master = -1
        self._plug_in()
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._settled = threading.Event()
        self._woken, self._waker = os.pipe()
        self._thread: threading.Thread | None = None
        self._move_shafts(self._moved_ns)

    def start(self) -> None:
        """Answer from now on, in a thread of its own."""
        self._start_ns = self._moved_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self.run, name="servo emulator", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Answer until `stop`."""
        while not self._stop.is_set():
            with self._guard:
                self._meet_faults()
                self._settled.set()
                self._send_due()
            self._wait()

    def stop(self) -> None:
        """Answer no more, and take the port away."""
        self._stop.set()
        os.write(self._waker, b"!")
        if self._thread is not None:
            self._thread.join()
        self._unplug()
        os.close(self._woken)
        os.close(self._waker)
        if self._folder is not None:
            # What a program has put there stays.
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def __enter__(self) -> ServoEmulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_answering(self) -> bool:
        """Whether replies are still to be sent."""
        return bool(self._due)

    def inject(self, *faults: Fault) -> None:
        """Have faults, each from its time after the emulator's start on, or at once.

        Raises:
            ConfigurationError: A fault names a servo that is not on the bus.
        """
        self._check(faults)
        with self._guard:
            self._faults += faults
            self._settled.clear()
        if self._thread is not None:
            os.write(self._waker, b"!")
            self._settled.wait(1.0)

    def _check(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            if fault.servo_id is not None and fault.servo_id not in self.servos:
                listed = ", ".join(map(str, self.servos))
                raise ConfigurationError(
                    f"no servo has the id {fault.servo_id} of the fault {fault.kind}; "
                    f"valid: {listed}"
                )

    def _wait(self) -> None:
        """Wait until something is due or has come, and take what has come."""
        wait_s = _IDLE_S
        if self._due:
            wait_s = max(0.0, min(wait_s, (self._due[0][0] - time.monotonic_ns()) / NS_PER_S))
        listened = [self._woken] if self._master < 0 else [self._woken, self._master]
        ready = select(listened, [], [], wait_s)[0]
        if self._woken in ready:
            os.read(self._woken, _CHUNK)
        if self._master not in ready:
            return
        try:
            data = os.read(self._master, _CHUNK)
        except OSError:
            # Nobody has the port open: whoever opens it next finds nothing from before.
            self._stream, self._due, self._held = b"", [], []
            time.sleep(_IDLE_S)
            return
        with self._guard:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        self._move_shafts(now_ns)
        if self._echoes:
            self._due.append((now_ns, data))
        # One after the other, also where they were written at once.
        self._line_free_ns = max(now_ns, self._line_free_ns) + self._wire_ns(len(data))
        self._stream += data
        found = self._family.requests(self._stream)
        self._stream = self._stream[found.end :]
        for request in found.packets:
            self.request_count += 1
            self._answer(request)
        self.heard_bytes += len(data)

    def _answer(self, request: Packet) -> None:
        held, self._held = self._held, []
        listening = {servo.id: servo for key, servo in self.servos.items() if key not in self._dead}
        replies = self._family.replies(request, listening)
        spoilt = [self._spoilt(each) for each in replies]
        frames = b"".join(reply.frame for reply in [*held, *spoilt] if reply is not None)
        if frames:
            delay_s = sum(listening[each.servo_id].value("return_delay") for each in replies)
            self._line_free_ns += self._wire_ns(len(frames)) + seconds_to_ns(delay_s)
            self._due.append((self._line_free_ns + seconds_to_ns(self._adapter_s), frames))

    def _spoilt(self, reply: Reply) -> Reply | None:
        """A reply after the fault that hits it; None where it does not come now."""
        fault = self._fault_of(reply.servo_id)
        if fault == "lost":
            return None
        if fault == "late":
            self._held.append(reply)
            return None
        if fault == "corrupt":
            middle = len(reply.frame) // 2
            wrong = bytes([reply.frame[middle] ^ 0x55])
            return Reply(reply.servo_id, reply.frame[:middle] + wrong + reply.frame[middle + 1 :])
        return reply

    def _fault_of(self, servo_id: int) -> str:
        """What hits the next reply of a servo, which is one fewer to hit then; empty: nothing."""
        now_s = self._now_s()
        for index, fault in enumerate(self._faults):
            hits = fault.servo_id in (None, servo_id) and fault.start_s <= now_s
            if fault.kind in REPLY_FAULTS and hits:
                left = fault.count - 1
                self._faults[index : index + 1] = [replace(fault, count=left)] if left else []
                return fault.kind
        return ""

    def _meet_faults(self) -> None:
        """Let those faults happen that are due and hit more than single replies."""
        now_s = self._now_s()
        due = [
            fault
            for fault in self._faults
            if fault.kind not in REPLY_FAULTS and fault.start_s <= now_s
        ]
        for fault in due:
            self._faults.remove(fault)
            self._happen(fault)

    def _happen(self, fault: Fault) -> None:
        hit = self.servos if fault.servo_id is None else [fault.servo_id]
        if fault.kind == "unplug":
            self._unplug()
        elif fault.kind == "replug":
            self._plug_in()
        elif fault.kind == "echo":
            self._echoes = True
        elif fault.kind == "dead":
            self._dead.update(hit)
        elif fault.kind == "overload":
            for key in hit:
                self.servos[key].overload()
        elif fault.kind == "brown-out":
            for key in hit:
                self.servos[key].restart()

    def _now_s(self) -> float:
        return (time.monotonic_ns() - self._start_ns) / NS_PER_S

    def _wire_ns(self, byte_count: int) -> int:
        return seconds_to_ns(wire_time_s(byte_count, self._baud_rate))

    def _move_shafts(self, now_ns: int) -> None:
        """Let the shafts move by what the servos have done since the last time."""
        drives = {
            key: Drive(None) if key in self._dead else servo.drive()
            for key, servo in self.servos.items()
        }
        step_s = (now_ns - self._moved_ns) / NS_PER_S
        shafts = self.shafts.advance(drives, step_s)
        self._moved_ns = now_ns
        for key, servo in self.servos.items():
            servo.sense(shafts[key])
            servo.pass_time(step_s)

    def _send_due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            with contextlib.suppress(OSError):
                os.write(self._master, self._due[0][1])
            del self._due[0]

    def _plug_in(self) -> None:
        if self._master >= 0:
            return
        master, port = os.openpty()
        try:
            tty.setraw(port, termios.TCSANOW)
            self._link.make(os.ttyname(port))
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(port)
        os.set_blocking(master, False)
        self._master = master

    def _unplug(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
            self._link.remove()
            self._stream, self._due, self._held = b"", [], []
