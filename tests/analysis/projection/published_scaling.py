"""Published throughputs by number of GPUs, as their sources give them, to hold the models against."""

from __future__ import annotations

from typing import NamedTuple

CSC = "github.com/mvsjober/ml-benchmarks, results.md (CSC, Finland)"
DEEP_LEARNING_EXAMPLES = "github.com/NVIDIA/DeepLearningExamples, BERT, README at 23a6382c"
TENSORFLOW = "tensorflow.org/performance/benchmarks (2017); CSCS, Piz Daint, user guide"


class PublishedSeries(NamedTuple):
    """One training at the same batch per GPU on 1 and more GPUs."""

    source: str
    what: str
    batch: int
    """Samples of a GPU in a step."""
    rates: dict[int, float]
    """Samples/s of all GPUs, by their number."""


class PublishedAccumulation(NamedTuple):
    """One training whose global batch stays the same: fewer passes a step on more GPUs."""

    source: str
    what: str
    global_batch: int
    batch: int
    """Samples of a GPU in a pass."""
    rates: dict[int, float]


def _csc(what: str, **rates: float) -> PublishedSeries:
    """ResNet-50 with DDP, 32 images a GPU."""
    return PublishedSeries(CSC, what, 32, {int(n.removeprefix("x")): rate for n, rate in rates.items()})


def _bert(what: str, batch: int, **rates: float) -> PublishedSeries:
    """BERT-large on SQuAD."""
    found = {int(n.removeprefix("x")): rate for n, rate in rates.items()}
    return PublishedSeries(DEEP_LEARNING_EXAMPLES, what, batch, found)


SERIES = (
    _csc("LUMI, MI250X, fp32, 2023-09-28", x1=503.67, x2=981.73, x8=3892.65, x16=7556.66),
    _csc("LUMI, MI250X, fp16, 2023-09-28", x1=870.53, x2=1630.93, x8=6421.78, x16=12388.28),
    _csc("LUMI, MI250X, fp32, 2023-11-17", x1=542.91, x2=1020.47, x8=4034.92, x16=7655.74),
    _csc("LUMI, MI250X, fp16, 2023-11-17", x1=902.57, x2=1694.43, x8=6440.36, x16=12066.58),
    _csc("LUMI, MI250X, fp32, 2024-02-29", x1=530.74, x2=1048.76, x8=4000.25, x16=7685.47),
    _csc("LUMI, MI250X, fp16, 2024-02-29", x1=931.08, x2=1725.14, x8=6419.29, x16=12042.89),
    _csc("Mahti, A100, fp32, 2023-09-28", x1=784.38, x2=1495.75, x4=3081.61, x8=5862.00),
    _csc("Mahti, A100, fp16, 2023-09-28", x1=1123.50, x2=2125.94, x4=4087.08, x8=7851.35),
    _csc("Puhti, V100, fp32, 2023-09-28", x1=329.27, x4=1249.31, x8=2465.86),
    _csc("Puhti, V100, fp16, 2023-09-28", x1=670.50, x2=1186.25, x4=2392.44, x8=4655.31),
    _csc("Puhti, V100, fp32, 2022-05-18", x1=325.95, x4=1217.10, x8=2420.71),
    _csc("Mahti, A100, fp32, 2022-05-18", x1=758.90, x4=2836.54, x8=5502.49),
    _csc("Mahti, A100, fp32, 2023-05-23", x1=796.17, x4=3132.06, x8=5950.39),
    _bert("DGX-2, PyTorch, fp32", 4, x1=9.92, x4=35.52, x8=71.36, x16=141.40),
    _bert("DGX-2, PyTorch, fp16", 4, x1=38.16, x4=122.08, x8=241.28, x16=462.08),
    _bert("DGX-2, PyTorch, fp16", 10, x1=47.40, x4=165.60, x8=325.60, x16=648.00),
    _bert("DGX-1 32G, PyTorch, fp16", 10, x1=46.0, x4=164.0, x8=325.6),
    _bert("DGX-1 16G, PyTorch, fp16", 4, x1=35.88, x4=120.0, x8=227.84),
    _bert("DGX-1 16G, PyTorch, fp32", 4, x1=8.96, x4=31.04, x8=64.64),
    _bert("DGX-2, TensorFlow, fp32", 7, x1=8.47, x4=32.2, x8=63.84, x16=126.56),
    _bert("DGX-2, TensorFlow, fp16", 7, x1=26.04, x4=92.68, x8=183.68, x16=365.12),
    _bert("DGX-2, TensorFlow, fp16", 14, x1=28.28, x4=103.6, x8=208.32, x16=416.64),
    PublishedSeries(
        TENSORFLOW, "DGX-1, P100, Inception v3, synthetic images", 64, {1: 142, 2: 284, 4: 569, 8: 1131}
    ),
    PublishedSeries(
        TENSORFLOW,
        "Piz Daint, P100, Inception v3, synthetic images",
        64,
        {1: 138.23, 2: 264.57, 4: 523.38, 8: 1018.18},
    ),
)

GPT_NEO = "GPT-Neo 1.3B, fp16"
LUMI_UNEVEN = PublishedAccumulation(
    CSC,
    f"{GPT_NEO}, LUMI, MI250X, 2023-11-17",
    128,
    2,
    {1: 21.671, 2: 41.527, 8: 116.601, 16: 162.697},
)
"""A pair of GPUs on a better link than the rest."""
MAHTI_UNEVEN = PublishedAccumulation(
    CSC, f"{GPT_NEO}, Mahti, A100", 128, 2, {1: 29.493, 2: 57.184, 4: 92.499, 8: 139.883}
)
"""Likewise."""
ACCUMULATIONS = (
    PublishedAccumulation(
        CSC,
        f"{GPT_NEO}, LUMI, MI250X, 2023-09-28",
        128,
        2,
        {1: 22.5, 2: 43.37, 8: 145.513, 16: 231.133},
    ),
    LUMI_UNEVEN,
    PublishedAccumulation(
        CSC, f"{GPT_NEO}, Puhti, V100", 128, 2, {1: 17.47, 2: 33.563, 4: 60.755, 8: 105.145}
    ),
    MAHTI_UNEVEN,
    PublishedAccumulation(
        DEEP_LEARNING_EXAMPLES,
        "pre-training, length 128, DGX-2H",
        65536,
        64,
        {16: 3379.2, 64: 12709.88, 256: 51937.28, 1024: 188088.32},
    ),
    PublishedAccumulation(
        DEEP_LEARNING_EXAMPLES,
        "pre-training, length 512, DGX-2H",
        32768,
        8,
        {16: 625.66, 64: 2386.38, 256: 9932.8, 1024: 37478.4},
    ),
)
"""Each is projected from its fewest and its second most GPUs."""

FROM_ONE_MACHINE = (
    PublishedAccumulation(
        DEEP_LEARNING_EXAMPLES,
        "pre-training, length 128, DGX-1 16G, 8 GPUs a machine",
        65536,
        16,
        {8: 874.24, 32: 3089.76, 128: 12144.64},
    ),
    PublishedAccumulation(
        DEEP_LEARNING_EXAMPLES,
        "pre-training, length 512, DGX-1 16G, 8 GPUs a machine",
        32768,
        4,
        {8: 195.93, 32: 700.16, 128: 2746.37},
    ),
)
"""Trainings whose fewest GPUs are one machine: the step there knows nothing of the network."""
