"""Memory that language models need, and runs that are skipped for want of it."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.memory import memory_need
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.text.toml import toml_value

GIB = 1 << 30


def host(gpus: int = 0, gib: int = 80, memory: int = 16) -> Host:
    return Host(
        name="server",
        cpu=Cpu("cpu", (0, 1), 2, memory * GIB),
        software=Software("3.11", "linux", torch="2.13.0", torch_cuda="13.0" if gpus else None),
        gpus=tuple(
            Gpu(index, f"GPU-{index}", "H100", memory_bytes=gib * GIB, compute_capability=(9, 0))
            for index in range(gpus)
        ),
    )


def planned(on: Host, matrix: str, **workload: object) -> Plan:
    keys = {"training": "tokens", "optimizer": "adamw", "precision": "bf16", "batch": 1} | workload
    table = "\n".join(f"{key} = {toml_value(value)}" for key, value in keys.items())
    text = f'title = "t"\nquestion = "q"\n[workload]\n{table}\n[matrix]\n{matrix}'
    return make_plan("test", read_preset(text, "test.toml"), on)


def needed(plan: Plan) -> float:
    (run,) = plan.runs
    need = memory_need(run)
    assert need is not None
    return need.total / 1e9


def test_eight_billion_parameters_need_shards_on_many_gpus() -> None:
    matrix = 'modes = ["single", "ddp", "fsdp"]\ndevices = [1, 2, 8]'
    plan = planned(host(8), matrix, model="llama-8b", sequence_length=2048)
    fitting = [(run.mode, run.device_count) for run in plan.to_run]
    assert fitting == [("fsdp", 2), ("fsdp", 8)]
    reasons = {run.label: run.skip or "" for run in plan.runs if run.skip}
    # 4 + 4 + 8 bytes for each parameter, and 2 for its copy in 16 bits, are 135 GiB.
    assert "llama-8b needs about 135 GiB on each GPU" in reasons["single x1"]
    assert "GPU 0 (H100) has 80.0 GiB: use fsdp, or a smaller model" in reasons["single x1"]
    assert "use more devices" in reasons["fsdp x1"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        # Parameters, gradients, two moments, copies of 16 bits: 18 bytes. Activations beyond gradients: none.
        ({"model": "gpt2", "sequence_length": 64}, 18 * 0.1244),
        ({"model": "gpt2", "sequence_length": 64, "precision": "fp32"}, 16 * 0.1244),
        ({"model": "gpt2", "sequence_length": 64, "precision": "fp32", "optimizer": "sgd"}, 12 * 0.1244),
        # 12,288 tokens: 12 blocks of 36 widths in bytes, ten bytes for each logit, less the gradients.
        (
            {"model": "gpt2", "batch": 12},
            18 * 0.1244 + 12_288 * (12 * 36 * 768 + 8 * 768 + 10 * 50_257) / 1e9 - 4 * 0.1244,
        ),
    ],
)
def test_the_need_of_one_device(keys: dict[str, object], expected: float) -> None:
    assert needed(planned(host(1), 'modes = ["single"]', **keys)) == pytest.approx(expected, rel=0.01)


def test_modes_differ_in_what_they_hold() -> None:
    keys = {"model": "llama-1b", "sequence_length": 16}
    parameters = 1.2358
    (ddp,) = planned(host(4), 'modes = ["ddp"]\ndevices = [4]', **keys).runs
    view = planned(host(4), 'modes = ["ddp"]\ndevices = [4]', gradient_as_bucket_view=True, **keys)
    sharded = needed(planned(host(4), 'modes = ["fsdp"]\ndevices = [4]', **keys))
    need = memory_need(ddp)
    assert need is not None
    assert need.total / 1e9 == pytest.approx(22 * parameters, rel=0.01)
    assert needed(view) == pytest.approx(18 * parameters, rel=0.01)
    assert 4 * parameters < sharded < 6 * parameters
    kept = planned(host(4), 'modes = ["fsdp"]\ndevices = [4]', reshard_after_forward=False, **keys)
    assert needed(kept) > sharded + 1
    adding = planned(host(4), 'modes = ["fsdp"]\ndevices = [4]', accumulate=2, **keys)
    assert needed(adding) >= sharded + 4 * parameters, "gradients are whole until they are reduced"


def test_ranks_on_cpus_share_one_memory() -> None:
    matrix = 'modes = ["single", "ddp"]\ndevices = [2]'
    plan = planned(host(memory=4), matrix, model="gpt2", sequence_length=64, precision="fp32")
    reasons = {run.label: run.skip or "" for run in plan.runs if run.skip}
    assert list(reasons) == ["ddp x2"]
    assert "gpt2 needs about 4.64 GiB (estimated; 100% of it" in reasons["ddp x2"]
    assert "this machine has 4.00 GiB" in reasons["ddp x2"]


def test_long_sequences_are_what_to_shorten() -> None:
    (run,) = planned(host(1, gib=24), 'modes = ["single"]', model="llama-1b", batch=64).runs
    assert run.skip is not None
    either = "lower workload.batch or workload.sequence_length"
    assert run.skip.endswith(f'set workload.checkpoint_activations = "every", or {either}')
    keys = {"model": "llama-1b", "batch": 64, "checkpoint_activations": "every"}
    (run,) = planned(host(1, gib=24), 'modes = ["single"]', **keys).runs
    assert run.skip is not None
    assert run.skip.endswith(f": {either}")


def test_checkpoints_keep_the_inputs_of_blocks() -> None:
    keys = {"model": "gpt2", "batch": 32, "precision": "fp32"}
    none, every, third = (
        needed(planned(host(1), 'modes = ["single"]', checkpoint_activations=each, **keys))
        for each in ("none", "every", 3)
    )
    tokens, block = 32 * 1024 / 1e9, 64 * 768
    assert none - every == pytest.approx(tokens * (11 * block - 12 * 4 * 768), rel=1e-6)
    assert none - third == pytest.approx(tokens * (3 * block - 4 * 4 * 768), rel=1e-6)
    adding = needed(planned(host(1), 'modes = ["single"]', accumulate=2, **keys))
    assert adding - none == pytest.approx(4 * 0.12444, rel=1e-3)


def test_images_are_not_estimated() -> None:
    text = 'title = "t"\nquestion = "q"\n[matrix]\nmodes = ["single"]'
    (run,) = make_plan("test", read_preset(text, "test.toml"), host(1)).runs
    assert memory_need(run) is None
    assert run.skip is None
