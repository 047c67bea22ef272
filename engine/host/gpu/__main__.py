"""`python -m gpubench_tui.engine.host.gpu`: the process that asks NVML, for the one that started it.

It reads questions from its standard input, a line each, and writes the answers to its standard output.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import msgspec

from ...text.plain import described, message_of
from ..facts import Gpu
from .devices import NvmlDevice, find_device
from .driver import Question, Reply
from .nvml import Nvml, NvmlUnavailable
from .survey import take_survey
from .threads import GpuThreads


class OpenGpus:
    """NVML, open from the first question about counters on, and the GPUs that were found with it."""

    def __init__(self) -> None:
        self.threads = GpuThreads()
        self._nvml: Nvml | None = None
        self._devices: dict[str, NvmlDevice] = {}

    def joules(self, gpus: Sequence[Gpu]) -> list[float | None]:
        """Read the counters of energy of the GPUs; raises `NvmlUnavailable`."""
        nvml = self._open()
        found = [self._find(nvml, gpu) for gpu in gpus]
        return [None if device is None else device.energy_joules() for device in found]

    def _open(self) -> Nvml:
        self._nvml = self._nvml or Nvml()
        return self._nvml

    def _find(self, nvml: Nvml, gpu: Gpu) -> NvmlDevice | None:
        """Return the GPU, which is looked up by its UUID until it answers."""
        device = self._devices.get(gpu.uuid) or find_device(nvml, gpu)
        if device is not None:
            self._devices[gpu.uuid] = device
        return device


def answer(question: Question, gpus: OpenGpus) -> Reply:
    """Answer a question; never raises."""
    try:
        if question.sampled is not None:
            return Reply(samples=gpus.threads.samples(question.sampled, question.patience))
        if question.counted is not None:
            return Reply(joules=gpus.joules(question.counted))
        return Reply(survey=take_survey())
    except NvmlUnavailable as error:
        return Reply(refusal=message_of(error))
    except Exception as error:
        return Reply(failure=f"the GPUs can no longer be queried: {described(error)}")


def read_questions(questions: SimpleQueue[bytes]) -> None:
    """Take in questions; end this process with the one that asks, even during a call that hangs."""
    for line in sys.stdin.buffer:
        questions.put(line)
    os._exit(0)


def main() -> None:
    """Answer questions for ever."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the driver's library prints is no answer
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=read_questions, args=(questions,), daemon=True).start()
    gpus = OpenGpus()
    while True:
        question = msgspec.json.decode(questions.get(), type=Question)
        answers.write(msgspec.json.encode(answer(question, gpus)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
