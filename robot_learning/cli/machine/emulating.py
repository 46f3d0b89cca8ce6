"""What `emulate` does: servos on a port, until they are stopped."""

from __future__ import annotations

import argparse
import math
import signal
from collections import Counter
from collections.abc import Sequence

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import parse_fault
from robot_learning.servos.models.catalog import servo_model
from robot_learning.servos.models.servo_model import ServoModel

HIGHEST_ID = 252


def run_emulate(arguments: argparse.Namespace) -> int:
    """Emulate the servos until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: An option is wrong; the text says which.
    """
    models = servos(arguments.servos)
    if arguments.baud_rate <= 0 or not 0.0 <= arguments.adapter_ms < math.inf:
        raise ConfigurationError("--baud-rate must be above 0, --adapter-ms 0 or more and finite")
    emulator = ServoEmulator(
        models,
        baud_rate=arguments.baud_rate,
        adapter_s=1e-3 * arguments.adapter_ms,
        faults=[parse_fault(text) for text in arguments.faults],
        path=arguments.port,
    )
    counts = Counter(model.name for model in models.values())
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"port: {emulator.path}")
    print(
        f"{listed}, ids 1 to {len(models)}, {arguments.baud_rate} baud; Ctrl-C ends it", flush=True
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        emulator.run()
    except KeyboardInterrupt:
        print(f"{amount(emulator.request_count, 'request')} understood")
    finally:
        signal.signal(signal.SIGTERM, before)
        emulator.stop()
    return 0


def servos(texts: Sequence[str]) -> dict[int, ServoModel]:
    """The model of each servo by its id, from texts such as `sts3215:6`.

    Raises:
        ConfigurationError: A text is not of that form, or there are too many servos.
    """
    models: dict[int, ServoModel] = {}
    for text in texts:
        name, _, count = text.partition(":")
        if not count.isdecimal() or int(count) < 1:
            raise ConfigurationError(
                f"--servos '{text}' is not MODEL:COUNT; write sts3215:6, for six servos"
            )
        for _ in range(int(count)):
            models[len(models) + 1] = servo_model(name)
            if len(models) > HIGHEST_ID:
                raise ConfigurationError(f"a bus has {HIGHEST_ID} servos at the most")
    return models
