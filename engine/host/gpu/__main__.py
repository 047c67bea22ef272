"""`python -m gpubench_tui.engine.host.gpu`: the process that asks NVML, for the one that started it.

It reads questions from its standard input, a line each, and writes the answers to its standard output.
"""

from __future__ import annotations

import os
import sys
import threading
from queue import SimpleQueue

import msgspec

from ...text.plain import described, message_of
from ..facts import Gpu, GpuSample
from .devices import NvmlDevice, find_device
from .driver import Question, Reply, Samples
from .nvml import Nvml, NvmlUnavailable
from .survey import take_survey


class Sampler:
    """NVML, open from the first sample on, and the GPUs that were found with it."""

    def __init__(self) -> None:
        self._nvml: Nvml | None = None
        self._devices: dict[str, NvmlDevice] = {}

    def samples(self, gpus: list[Gpu]) -> Samples:
        """Sample the GPUs; raises `NvmlUnavailable`."""
        self._nvml = self._nvml or Nvml()
        return Samples([self._sample(self._nvml, gpu) for gpu in gpus], self._nvml.take_missing())

    def _sample(self, nvml: Nvml, gpu: Gpu) -> GpuSample:
        """Sample one GPU, which is looked up by its UUID until it answers."""
        device = self._devices.get(gpu.uuid) or find_device(nvml, gpu)
        if device is None:
            return GpuSample(index=gpu.index, lost=True)
        self._devices[gpu.uuid] = device
        return device.sample()


def answer(question: Question, sampler: Sampler) -> Reply:
    """Reply a question; never raises."""
    try:
        if question.sampled is None:
            return Reply(survey=take_survey())
        return Reply(samples=sampler.samples(list(question.sampled)))
    except NvmlUnavailable as error:
        return Reply(refusal=message_of(error))
    except Exception as error:
        return Reply(failure=f"the GPUs can no longer be asked: {described(error)}")


def read_questions(questions: SimpleQueue[bytes]) -> None:
    """Take in questions; end this process with the one that asks, even during a call that hangs."""
    for line in sys.stdin.buffer:
        questions.put(line)
    os._exit(0)


def main() -> None:
    """Reply questions for ever."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the driver's library prints is no answer
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=read_questions, args=(questions,), daemon=True).start()
    sampler = Sampler()
    while True:
        question = msgspec.json.decode(questions.get(), type=Question)
        answers.write(msgspec.json.encode(answer(question, sampler)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
