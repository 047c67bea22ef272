import pytest
from building.sessions import GIB, HOST, arithmetic, measured, opening, rank_measured, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.results.datasheet import datasheet_peak, link_bandwidth, link_kind, nvlinks
from gpubench_tui.engine.analysis.results.devices import Compute
from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.host.facts import CpuSample, Gpu, GpuSample, Link
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, RankMeasured, Sampled
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

GPUS = tuple(Device(kind="cuda", index=i, name="NVIDIA H200") for i in range(4))
GPU_HOST = replace(
    HOST, gpus=tuple(Gpu(index=i, uuid=str(i), name="NVIDIA H200", memory_bytes=100 * GIB) for i in range(4))
)


def run(
    mode: Mode, devices: int, *said: Event, workloads: tuple[Workload, ...] = (Workload(name="cnn"),)
) -> Session:
    """A run on GPUs whose steps take 200 ms in the windows."""
    planned = spec("run", mode, devices, on=GPUS, workloads=workloads)
    return session(opening(planned, host=GPU_HOST), measured("run", [[1.0] * 5] * planned.world_size), said)


def compute_of(folded: Session) -> Compute:
    found = result_of(folded, "run").compute
    assert found is not None
    return found


def done(rank: int = 0, **fields: object) -> RankMeasured:
    return replace(rank_measured("run", rank), **fields)


def test_mfu_is_the_models_flop_over_the_measured_peak_of_all_devices() -> None:
    found = compute_of(
        run("ddp", 2, arithmetic("run", 0, 2 * 10**12, 50e12), arithmetic("run", 1, 2 * 10**12, 40e12))
    )
    assert found.flop_per_step == 4 * 10**12
    assert found.flop_per_second == pytest.approx(20e12), "in 0.2 s"
    assert found.flop_per_second_per_device == pytest.approx(10e12)
    assert found.peak_flop_per_second == 40e12, "of the slowest device"
    assert found.mfu == pytest.approx(0.25)


def test_a_data_parallel_rank_has_several_devices() -> None:
    found = compute_of(run("dp", 4, arithmetic("run", 0, 8 * 10**12, 100e12)))
    assert found.flop_per_second == pytest.approx(40e12)
    assert found.mfu == pytest.approx(0.1)


def test_independent_trainings_have_steps_of_their_own() -> None:
    planned = spec("run", "concurrent", 2, workloads=[Workload(name="cnn"), Workload(name="vit")])
    folded = session(
        opening(planned),
        measured("run", [[1.0] * 5, [2.0] * 5]),
        [arithmetic("run", 0, 10**12, 20e12), arithmetic("run", 1, 4 * 10**12, 20e12)],
    )
    found = compute_of(folded)
    assert found.flop_per_second == pytest.approx(5e12 + 10e12)
    assert found.mfu == pytest.approx(15 / 40)


def test_no_run_is_above_its_peak() -> None:
    """A busy machine may slow the product that measures the peak more than it slowed the training."""
    folded = run("single", 1, arithmetic("run", 0, 10**12, 4e12))
    found = result_of(folded, "run")
    assert found.compute is not None and found.compute.mfu is None
    assert (found.compute.flop_per_second, found.compute.peak_flop_per_second) == (pytest.approx(5e12), 4e12)
    assert any(note.startswith("MFU n/a: training was faster") for note in found.notes)
    sound = result_of(run("single", 1, arithmetic("run", 0, 10**12, 6e12)), "run")
    assert not any("MFU" in note for note in sound.notes)


@pytest.mark.parametrize("counted", [(None, None), (10**12, None)])
def test_what_a_rank_did_not_count_is_not_made_up(counted: tuple[int | None, int | None]) -> None:
    said = [arithmetic("run", rank, flop, 1e12) for rank, flop in enumerate(counted)]
    found = compute_of(run("ddp", 2, *said))
    assert (found.flop_per_step, found.flop_per_second, found.mfu) == (None, None, None)
    assert found.peak_flop_per_second == 1e12


def test_energy_of_all_devices_over_the_samples_they_took() -> None:
    said = [done(rank, energy_joules=[300.0 + 100 * rank], energy_samples=1400) for rank in (0, 1)]
    found = compute_of(run("ddp", 2, *said))
    assert found.joules == 700
    assert found.joules_per_sample == pytest.approx(0.25)
    assert found.samples_per_joule == pytest.approx(4)


@pytest.mark.parametrize(
    ("seconds", "epochs", "remark"),
    [
        (0.4, 0, "energy is accurate to 5.0% only"),
        (4.0, 0, None),
        (4.0, 5, "energy is accurate to 2.5% only"),
    ],
)
def test_energy_of_short_periods_is_remarked_on(seconds: float, epochs: int, remark: str | None) -> None:
    """The counter is read at both ends of all windows, or of each epoch, and updated ten times a second."""
    planned = replace(spec("run", "single"), measure=Measure(epochs=epochs))
    counted = done(0, energy_joules=[300.0], energy_samples=10)
    folded = session(opening(planned), measured("run", [[seconds] * 5]), [counted])
    notes = [note for note in result_of(folded, "run").notes if note.startswith("energy")]
    assert [note.partition(":")[0] for note in notes] == ([remark] if remark else [])


@pytest.mark.parametrize("other", [[], [None]])
def test_a_device_that_counts_no_energy_leaves_no_half_a_sum(other: list[float | None]) -> None:
    said = [
        done(0, energy_joules=[300.0], energy_samples=10),
        done(1, energy_joules=other, energy_samples=10),
    ]
    found = compute_of(run("ddp", 2, *said))
    assert (found.joules, found.joules_per_sample, found.samples_per_joule) == (None, None, None)


def test_samples_of_two_workloads_are_not_added() -> None:
    said = [done(rank, energy_joules=[300.0], energy_samples=10) for rank in (0, 1)]
    both = (Workload(name="cnn"), Workload(name="vit"))
    found = compute_of(run("concurrent", 2, *said, workloads=both))
    assert (found.joules, found.joules_per_sample) == (600, None)


def test_memory_of_the_device_that_has_least_left() -> None:
    said = done(
        peak_memory_bytes=[60 * GIB, 20 * GIB],
        peak_reserved_bytes=[95 * GIB, 30 * GIB],
        allocator_retries=[2, 1],
    )
    found = compute_of(run("dp", 2, said))
    assert (found.peak_allocated_bytes, found.peak_reserved_bytes) == (60 * GIB, 95 * GIB)
    assert found.headroom == pytest.approx(0.05)
    assert found.device_memory_bytes == 100 * GIB
    assert found.allocator_retries == 3


def test_memory_outside_the_allocator_leaves_less_headroom() -> None:
    said = done(peak_memory_bytes=[60 * GIB], peak_reserved_bytes=[80 * GIB])
    cpu = CpuSample((), 0, 1, 0.0, 0)
    used = [(0.1, 99), (3.0, 90), (4.0, 85)]  # the first before the run, of another program
    samples = [
        Sampled(at=at, gpus=[GpuSample(index=0, memory_used_bytes=gib * GIB)], cpu=cpu) for at, gib in used
    ]
    assert compute_of(run("single", 1, *samples, said)).headroom == pytest.approx(0.1)


def test_a_cpu_has_no_headroom_and_no_retries() -> None:
    found = compute_of(session(opening(spec("run", "single")), measured("run", [[1.0] * 5])))
    assert found.peak_allocated_bytes == GIB
    assert (found.peak_reserved_bytes, found.headroom, found.allocator_retries) == (None, None, None)
    assert (found.joules, found.datasheet_flop_per_second) == (None, None)


def test_a_run_that_never_was_has_nothing_to_say() -> None:
    assert result_of(session(opening(spec("run", "single"))), "run").compute is None


def test_the_report_shows_only_what_some_run_has() -> None:
    text = markdown(analyse(run("single", 1, arithmetic("run", 0, 10**12, 20e12))))
    assert "TFLOP/s per device" in text
    assert "MFU" in text
    assert "J per sample" not in text
    row = next(line for line in text.splitlines() if line.startswith("| single x1 |") and "25.0%" in line)
    assert "5.00" in row


@pytest.mark.parametrize(
    ("name", "precision", "tera"),
    [
        ("NVIDIA H200", "bf16", 989.5),
        ("NVIDIA H200 NVL", "bf16", None),
        ("NVIDIA H100 80GB HBM3", "tf32", 494.5),
        ("NVIDIA A100-SXM4-80GB", "fp32", 19.5),
        ("NVIDIA A10", "fp16", 125),
        ("NVIDIA A10G", "fp16", None),
        ("NVIDIA L4", "fp16", 121),
        ("NVIDIA L40S", "fp16", 362),
        ("Tesla T4", "fp16", 65),
        ("Tesla T4", "bf16", None),
        ("Tesla V100-SXM2-16GB", "fp16", 125),
        ("core 0", "fp32", None),
    ],
)
def test_a_datasheet_speaks_only_for_the_gpu_it_names(name: str, precision: str, tera: float | None) -> None:
    peak = datasheet_peak(name, precision)  # type: ignore[arg-type]
    assert peak == (None if tera is None else tera * 1e12)


def test_links_in_the_words_of_the_driver() -> None:
    links = [Link(0, 1, "NV12"), Link(0, 2, "NV4"), Link(1, 2, "NV12")]
    assert link_kind(links, [0, 1]) == "NV12"
    assert link_kind(links, [0, 1, 2]) == "NV4"
    assert link_kind(links, [0, 3]) is None
    assert (nvlinks("NV4"), nvlinks("PIX"), nvlinks("NODE")) == (4, None, None)
    a100 = Gpu(index=0, uuid="a", name="A100", compute_capability=(8, 0))
    assert link_bandwidth("NV12", [a100, a100]) == 300e9
    assert link_bandwidth("NV12", []) is None
    wide = Gpu(index=0, uuid="a", name="L40S", pcie_generation_max=4, pcie_width_max=16)
    narrow = replace(wide, pcie_width_max=8)
    assert link_bandwidth("PIX", [wide, narrow]) == pytest.approx(15.75e9, rel=1e-3)
    assert link_bandwidth("PXB", [wide, a100]) is None, "nobody said how many lanes the other has"
    assert link_bandwidth("PHB", [wide, wide]) is None, "the processor has a part in it"
