from pathlib import Path

import pytest
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.plan.estimate import TimeEstimate, estimate, total
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.pace import Pace
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.read import read_preset
from msgspec.structs import replace
from PIL import Image


def host(
    gpus: int = 0, cores: int = 2, physical: int | None = None, capability: tuple[int, int] = (9, 0)
) -> Host:
    return Host(
        name="server",
        cpu=Cpu("cpu", tuple(range(cores)), physical or cores, 1 << 34),
        software=Software("3.11", "linux", torch="2.13.0", torch_cuda="13.0" if gpus else None),
        gpus=tuple(
            Gpu(index, f"GPU-{index}", "H200", compute_capability=capability) for index in range(gpus)
        ),
    )


def plan(matrix: str, on: Host, workload: str = "", measure: str = "") -> Plan:
    text = f'title = "t"\nquestion = "q"\n{workload}\n[measure]\n{measure}\n[matrix]\n{matrix}\n'
    return make_plan("test", read_preset(text, "test.toml"), on)


def shape(made: Plan) -> list[tuple[str, int, int]]:
    return [(spec.mode, spec.device_count, spec.workload.batch) for spec in made.runs]


def skips(made: Plan) -> dict[str, str]:
    return {spec.label: spec.skip for spec in made.runs if spec.skip is not None}


def test_a_matrix_becomes_its_runs_in_order() -> None:
    made = plan('modes = ["single", "dp", "ddp"]\ndevices = [1, 2]\nbatches = [32, 64]', host(gpus=2))
    expected = [("single", 1), ("dp", 2), ("ddp", 1), ("ddp", 2)]
    assert shape(made) == [(mode, count, batch) for batch in (32, 64) for mode, count in expected]
    assert len({spec.id for spec in made.runs}) == len(made.runs)
    assert skips(made) == {}


@pytest.mark.parametrize(("gpus", "batch"), [(0, 8), (2, 64)])
def test_a_machine_without_gpus_gets_the_reduced_form(gpus: int, batch: int) -> None:
    reduced = "[workload]\nbatch = 64\n[without_gpus.workload]\nbatch = 8"
    made = plan('modes = ["single"]', host(gpus=gpus), workload=reduced)
    assert shape(made) == [("single", 1, batch)]
    assert made.reduced == (gpus == 0)
    assert not plan('modes = ["single"]', host()).reduced


@pytest.mark.parametrize("capability", [(7, 0), (9, 0)])
def test_the_first_thing_one_runs_needs_no_new_gpu_and_keeps_it_busy(capability: tuple[int, int]) -> None:
    made = make_plan("quickstart", find_preset("quickstart").read(), host(gpus=2, capability=capability))
    assert skips(made) == {}
    assert {(spec.workload.model, spec.workload.batch) for spec in made.runs} == {("cifar-resnet18", 512)}


def test_all_devices_means_every_gpu() -> None:
    assert shape(plan('modes = ["ddp"]\ndevices = [1, "all"]', host(gpus=4))) == [
        ("ddp", 1, 128),
        ("ddp", 4, 128),
    ]


@pytest.mark.parametrize(
    ("near", "allowed", "pinned"),
    [
        # Two sockets, of which this process may use a part.
        ([(0, 1, 2, 3)] * 2 + [(4, 5, 6, 7)] * 2, 7, [(0, 1, 2, 3)] * 2 + [(4, 5, 6)] * 2),
        # One core for two GPUs, and none for one: no GPU is pinned.
        ([(0, 1, 2, 3)] * 2 + [(4, 5, 6, 7)] * 2, 5, [()] * 4),
        ([(0, 1), (2, 3)], 2, [()] * 2),
        # The driver does not tell.
        ([None, None], 4, [()] * 2),
    ],
)
def test_ranks_stay_on_the_cores_near_their_gpu_in_every_mode(
    near: list[tuple[int, ...] | None], allowed: int, pinned: list[tuple[int, ...]]
) -> None:
    server = host(gpus=len(near), cores=allowed)
    server = replace(
        server, gpus=tuple(replace(gpu, near_cores=n) for gpu, n in zip(server.gpus, near, strict=True))
    )
    made = plan('modes = ["single", "dp", "ddp", "concurrent"]\ndevices = ["all"]', server)
    for spec in made.runs:
        assert [device.cores for device in spec.devices] == pinned[: len(spec.devices)]


def test_without_gpus_a_device_is_the_same_share_of_the_cores_in_every_run() -> None:
    made = plan('modes = ["single", "ddp"]\ndevices = [2]', host(cores=4))
    single, ddp = made.runs
    assert [device.cores for device in ddp.devices] == [(0, 1), (2, 3)]
    assert [device.cores for device in single.devices] == [(0, 1)]


def test_shares_hold_whole_physical_cores() -> None:
    # Four physical cores with two siblings each: cores 4 to 7 are the siblings of 0 to 3.
    made = plan('modes = ["ddp"]\ndevices = [3]', host(cores=8, physical=4))
    assert [device.cores for device in made.devices] == [(0,), (1,), (2,)]


def test_too_many_devices_are_skipped_and_do_not_shrink_the_shares() -> None:
    made = plan('modes = ["ddp"]\ndevices = [2, 3]', host(cores=2))
    assert [device.cores for device in made.devices] == [(0,), (1,)]
    assert list(skips(made)) == ["ddp x3"]
    assert "needs 3 devices" in skips(made)["ddp x3"]
    assert skips(plan('modes = ["ddp"]\ndevices = [3]', host(gpus=2))) == {
        "ddp x3": "needs 3 GPUs, 2 present"
    }


@pytest.mark.parametrize(
    ("devices", "here", "runs", "skipped"),
    [
        ("[4]", host(gpus=2), ["ddp x2"], ["ddp x4"]),
        ("[1, 2, 4]", host(gpus=3), ["ddp x1", "ddp x2", "ddp x3"], ["ddp x4"]),
        ("[4, 8]", host(gpus=3), ["ddp x3"], ["ddp x4", "ddp x8"]),
        ("[2, 4]", host(gpus=8), ["ddp x2", "ddp x4"], []),
        ("[2, 4]", host(gpus=2), ["ddp x2"], ["ddp x4"]),
        ("[4]", host(gpus=1), [], ["ddp x4"]),
        ("[4]", host(cores=2), ["ddp x2"], ["ddp x4"]),
        ("[4]", host(cores=1), [], ["ddp x4"]),
        ("[2, 16]", host(cores=6), ["ddp x2"], ["ddp x16"]),
        ("[5]", host(cores=6), ["ddp x5"], []),
    ],
)
def test_the_most_devices_that_are_there_take_the_place_of_more(
    devices: str, here: Host, runs: list[str], skipped: list[str]
) -> None:
    made = plan(f'modes = ["ddp"]\ndevices = {devices}', here)
    assert [spec.label for spec in made.to_run] == runs
    assert list(skips(made)) == skipped


def test_they_do_so_where_a_part_of_the_matrix_is_kept_too_but_not_for_published_figures() -> None:
    published = (
        '[[published]]\nsource = "A"\nhardware = "4 GPUs"\n'
        'figures = [{ mode = "ddp", devices = 4, metric = "speedup", value = 3.0 }]'
    )
    only = 'only = [{ mode = "single" }, { mode = "ddp", devices = 4 }]'
    made = plan(f'modes = ["single", "dp", "ddp"]\ndevices = [4]\n{only}', host(gpus=2), published)
    assert [spec.label for spec in made.to_run] == ["single x1", "ddp x2"]
    (study,) = made.published
    assert [spec.label for spec in made.runs_of(study.figures[0])] == ["ddp x4"]


def test_dp_is_skipped_without_gpus() -> None:
    made = plan('modes = ["single", "dp"]\ndevices = [2]', host())
    assert "DataParallel needs CUDA GPUs" in skips(made)["dp x2"]


@pytest.mark.parametrize(
    ("precision", "on", "skipped"),
    [
        ("bf16", host(gpus=1, capability=(7, 5)), True),
        ("bf16", host(gpus=1, capability=(8, 0)), False),
        ("bf16", host(), False),
        ("tf32", host(), True),
        ("tf32", host(gpus=1), False),
        ("fp16", host(gpus=1, capability=(7, 5)), False),
    ],
)
def test_precisions_that_the_device_lacks_are_skipped(precision: str, on: Host, skipped: bool) -> None:
    made = plan('modes = ["single"]', on, f'[workload]\nprecision = "{precision}"')
    assert bool(skips(made)) is skipped


def test_what_cannot_be_shared_equally_is_skipped() -> None:
    matrix = 'modes = ["single", "ddp"]\ndevices = [2]'
    made = plan(matrix, host(), '[workload]\nbatch = 33\nbatch_scope = "global"')
    assert list(skips(made)) == ["ddp x2"]
    made = plan(matrix, host(), '[workload]\nplacement = "loader"\nloader_workers = 1')
    assert "set workload.loader_workers to a multiple of 2" in skips(made)["ddp x2"]


@pytest.mark.parametrize(
    ("mode", "keys", "reason"),
    [
        ("dp", "compile = true", "set workload.compile = false"),
        ("ddp", "static_graph = true\nfind_unused_parameters = true", "finds unused parameters by itself"),
    ],
)
def test_keys_that_torch_refuses_together_are_skipped_in_that_mode_alone(
    mode: str, keys: str, reason: str
) -> None:
    matrix = f'modes = ["single", "{mode}"]\ndevices = [2]'
    made = plan(matrix, host(gpus=2), f"[workload]\n{keys}")
    assert list(skips(made)) == [f"{mode} x2"]
    assert reason in skips(made)[f"{mode} x2"]
    for key in keys.splitlines()[1:]:
        assert not skips(plan(matrix, host(gpus=2), f"[workload]\n{key}"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'model = "vit-tiny"\ncheckpoint_activations = 99',
            'vit-tiny has 6 blocks: set workload.checkpoint_activations to "every", or to 6 at most',
        ),
        (
            'model = "cnn"\ncheckpoint_activations = "every"',
            "cnn has no blocks to checkpoint, only single layers: set",
        ),
        ('training = "tokens"\nmodel = "gpt-tiny"\ncheckpoint_activations = 5', "gpt-tiny has 4 blocks: set"),
        ('training = "tokens"\nmodel = "gpt-tiny"\ncheckpoint_activations = 4', ""),
        ('model = "torchvision:alexnet"\ncheckpoint_activations = 99', ""),
    ],
)
def test_checkpointing_more_blocks_than_a_model_has_is_skipped(keys: str, said: str) -> None:
    reasons = skips(plan('modes = ["single"]', host(gpus=1), f"[workload]\n{keys}"))
    assert bool(reasons) == bool(said) and said in "".join(reasons.values())


def test_batches_count_per_device_or_globally() -> None:
    matrix = 'modes = ["ddp"]\ndevices = [2]'
    weak = plan(matrix, host(), "[workload]\nbatch = 64").runs[0]
    assert (weak.batch_per_device(), weak.global_batch) == (64, 128)
    strong = plan(matrix, host(), '[workload]\nbatch = 64\nbatch_scope = "global"').runs[0]
    assert (strong.batch_per_device(), strong.global_batch) == (32, 64)


def test_every_run_names_its_baseline() -> None:
    workloads = '[workloads.a]\nmodel = "cnn"\n[workloads.b]\nmodel = "lenet"'
    made = plan('modes = ["single", "ddp", "concurrent"]\ndevices = [2]', host(), workloads)
    baselines = [(spec.label, spec.baseline and made.run(spec.baseline).label) for spec in made.runs]
    assert baselines == [
        ("single x1, a", "single x1, a"),
        ("ddp x2, a", "single x1, a"),
        ("single x1, b", "single x1, b"),
        ("ddp x2, b", "single x1, b"),
        ("concurrent x2, a + b", None),
    ]


def test_a_baseline_may_be_a_batch_or_the_fewest_devices() -> None:
    made = plan('modes = ["single"]\nbatches = [8, 16]\nbaseline = {mode = "single", batch = 8}', host())
    assert [spec.baseline for spec in made.runs] == [made.runs[0].id] * 2
    made = plan('modes = ["ddp"]\ndevices = [2, 1]', host())
    assert {spec.baseline for spec in made.runs} == {"01-ddp-1x128-cifar-resnet18"}


def test_a_baseline_may_be_of_another_workload_with_its_own_batch() -> None:
    workloads = "[workloads.a]\nbatch = 8\n[workloads.b]\nbatch = 16"
    made = plan('modes = ["single"]\nbaseline = {mode = "single", workload = "a"}', host(), workloads)
    assert [spec.baseline for spec in made.runs] == [made.runs[0].id] * 2


def test_only_keeps_the_runs_that_it_selects() -> None:
    matrix = 'modes = ["single", "ddp"]\ndevices = [1, 2]\nbatches = [8, 16]\n'
    only = 'only = [{ mode = "single", batch = 8 }, { devices = 2 }]'
    assert shape(plan(matrix + only, host())) == [("single", 1, 8), ("ddp", 2, 8), ("ddp", 2, 16)]


@pytest.mark.parametrize("matrix", ['modes = ["single"]\nonly = [{ devices = 2 }]', 'modes = ["dp"]'])
def test_a_matrix_without_a_run_is_an_error(matrix: str) -> None:
    with pytest.raises(PresetError, match="test: matrix: it holds no run"):
        plan(matrix, host(gpus=2))


def test_repeats_are_done_in_turns_each_with_a_baseline_of_its_own() -> None:
    made = plan('modes = ["single", "ddp"]\ndevices = [2]', host(), measure="repeats = 3")
    assert [(spec.mode, spec.repeat) for spec in made.runs] == [
        (mode, repeat) for repeat in (1, 2, 3) for mode in ("single", "ddp")
    ]
    single, ddp = made.runs[:2]
    assert [spec.configuration for spec in made.runs] == [single.id, ddp.id] * 3
    assert [spec.baseline for spec in made.runs] == [
        spec.id for spec in made.runs if spec.mode == "single" for _ in range(2)
    ]
    assert made.runs[3].label == "ddp x2, repeat 2"
    assert len({spec.id for spec in made.runs}) == len({spec.label for spec in made.runs}) == 6


def test_one_repeat_is_its_own_configuration_and_says_nothing_of_it() -> None:
    spec = plan('modes = ["single"]', host()).runs[0]
    assert (spec.repeat, spec.configuration, spec.label) == (1, spec.id, "single x1")


def test_concurrent_trainings_and_skipped_runs_repeat_too() -> None:
    made = plan('modes = ["concurrent", "dp"]\ndevices = [2]', host(), measure="repeats = 2")
    assert [spec.baseline for spec in made.runs if spec.mode == "concurrent"] == [None, None]
    assert list(skips(made)) == ["dp x2, repeat 1", "dp x2, repeat 2"]


def test_fsdp_runs_on_one_device_too_and_needs_its_torch() -> None:
    made = plan('modes = ["fsdp"]\ndevices = [1, 2]', host())
    assert [(spec.device_count, spec.world_size) for spec in made.runs] == [(1, 1), (2, 2)]
    assert skips(made) == {}
    too_old = ((1, "2.5.1", "fsdp needs torch 2.6"), (0, "2.6.0+cpu", "fsdp on CPUs needs torch 2.7"))
    for gpus, torch, where in too_old:
        old = replace(host(gpus), software=Software("3.11", "linux", torch=torch, torch_cuda="12.4"))
        made = plan('modes = ["single", "fsdp"]', old)
        assert skips(made) == {"fsdp x1": f"{where} or newer, and {torch} is installed"}
    new = replace(host(1), software=Software("3.11", "linux", torch="2.6.0", torch_cuda="12.4"))
    assert skips(plan('modes = ["fsdp"]', new)) == {}


def test_fsdp_shares_batches_and_loader_workers_as_ddp_does() -> None:
    matrix = 'modes = ["fsdp"]\ndevices = [2]'
    made = plan(matrix, host(), '[workload]\nbatch = 33\nbatch_scope = "global"')
    assert "cannot be divided equally among 2 devices" in skips(made)["fsdp x2"]
    made = plan(matrix, host(), '[workload]\nplacement = "loader"\nloader_workers = 3')
    assert "cannot be shared equally by 2 ranks" in skips(made)["fsdp x2"]


def test_the_learning_rate_is_scaled_with_the_batch_that_a_training_sees() -> None:
    workload = "[workload]\nbatch = 64\nlearning_rate = 0.1\nlearning_rate_batch = 32"
    matrix = 'modes = ["single", "ddp", "concurrent"]\ndevices = [2]'
    rates = [spec.workload.learning_rate for spec in plan(matrix, host(), workload).runs]
    assert rates == pytest.approx([0.2, 0.4, 0.2])
    rates = [
        spec.workload.learning_rate
        for spec in plan(matrix, host(), f'{workload}\nbatch_scope = "global"').runs
    ]
    assert rates == pytest.approx([0.2, 0.2, 0.2])


def test_a_step_takes_the_batches_that_it_accumulates() -> None:
    matrix = 'modes = ["single", "ddp", "concurrent"]\ndevices = [2]'
    workload = "[workload]\nbatch = 16\naccumulate = 4\nlearning_rate = 0.1\nlearning_rate_batch = 64"
    runs = {spec.mode: spec for spec in plan(matrix, host(), workload).runs}
    assert {mode: spec.batch_per_device() for mode, spec in runs.items()} == dict.fromkeys(runs, 16)
    assert [runs[mode].global_batch for mode in ("single", "ddp", "concurrent")] == [64, 128, 128]
    rates = [runs[mode].workload.learning_rate for mode in ("single", "ddp", "concurrent")]
    assert rates == pytest.approx([0.1, 0.2, 0.1])
    few = plan(matrix, host(), f"{workload}\nimages = 127")
    assert [spec.mode for spec in few.runs if spec.skip] == ["ddp"]
    assert "takes 128 images" in next(iter(skips(few).values()))


def test_concurrent_gives_each_rank_its_workload() -> None:
    workloads = '[workloads.a]\nmodel = "cnn"\nbatch = 8\n[workloads.b]\nmodel = "lenet"\nbatch = 16'
    run = plan('modes = ["concurrent"]\ndevices = [2]', host(), workloads).runs[0]
    assert [run.workload_of(rank).name for rank in (0, 1)] == ["a", "b"]
    assert [run.batch_per_device(rank) for rank in (0, 1)] == [8, 16]
    assert run.global_batch == 24


def test_a_missing_image_folder_is_an_error_before_the_start(tmp_path: Path) -> None:
    workload = f'[workload]\nbatch = 10\ndata = "folder"\ndata_dir = "{tmp_path}"'
    with pytest.raises(PresetError, match="expected train/CLASS/ and test/CLASS/"):
        plan('modes = ["single"]', host(), workload)
    for part in ("train", "test"):
        (tmp_path / part / "cat").mkdir(parents=True)
    with pytest.raises(PresetError, match=r"classes: 10, but .* has 1 class folders"):
        plan('modes = ["single"]', host(), workload)
    for part in ("train", "test"):
        for name in ("cat", *map(str, range(9))):
            (tmp_path / part / name).mkdir(exist_ok=True)
            Image.new("RGB", (8, 8)).save(tmp_path / part / name / "1.png")
    assert len(plan('modes = ["single"]', host(), workload).to_run) == 1


def test_the_estimate_grows_with_what_is_run() -> None:
    one = estimate(plan('modes = ["single"]', host(gpus=1), measure="seconds = 10"))
    two = estimate(plan('modes = ["single", "ddp"]', host(gpus=1), measure="seconds = 10"))
    assert one.low is not None and one.high is not None and two.low is not None and two.high is not None
    assert one.low < one.high < two.high
    assert one.low < two.low
    repeated = plan('modes = ["single"]', host(gpus=1), measure="seconds = 10\nrepeats = 2")
    assert estimate(repeated) == two
    assert estimate(plan('modes = ["single"]', host(), measure="epochs = 2")).low is None


@pytest.mark.parametrize(
    ("matrix", "detail", "most", "said"),
    [
        ('modes = ["single", "ddp"]\ndevices = [2]', 0, 2 * (1 + 5 + 10), "15 s to 35 s (estimate)"),
        (
            'modes = ["single", "ddp"]\ndevices = [2]',
            20,
            2 * (1 + 5 + 10 + 20) + 20,
            "25 s to 2 min (estimate)",
        ),
        ('modes = ["fsdp"]\ndevices = [2]', 20, 1 + 5 + 10 + 20, "15 s to 40 s (estimate)"),
    ],
)
def test_on_cpus_an_unknown_run_may_take_all_the_time_it_is_allowed(
    matrix: str, detail: int, most: float, said: str
) -> None:
    unknown = estimate(plan(matrix, host(), measure=f"seconds = 10\ndetail = {detail}"))
    assert unknown.high == 5 + most
    assert str(unknown) == said


def test_past_sessions_tell_how_long_it_takes() -> None:
    made = plan('modes = ["single", "ddp"]\ndevices = [2]', host(), measure="seconds = 10\ndetail = 0")
    unknown = estimate(made)
    assert unknown.low is not None
    pace = Pace(start=2.0, warm_up=30.0, step=8.0, detail=100.0)
    known = estimate(replace(made, paces={spec.id: pace for spec in made.runs}))
    # Five windows of a step each are longer than the limit of 10 s, and there is no detail phase.
    assert (known.low, known.high) == (5 + 2 * (2 + 30 + 5 * 8), 5 + 2 * (2 + 30 + 5 * 8))
    in_part = estimate(replace(made, paces={made.runs[0].id: pace}))
    assert in_part.low is not None and unknown.low < in_part.low < known.low
    by_epochs = replace(made.runs[0], measure=replace(made.runs[0].measure, epochs=3))
    learnt = replace(made, runs=(by_epochs,), paces={by_epochs.id: replace(pace, epoch=60.0)})
    assert estimate(learnt).high == 5 + 2 + 30 + 3 * 60


def test_the_estimate_of_several_plans_adds_up_what_is_known() -> None:
    seconds, epochs = TimeEstimate(20.0, 40.0), TimeEstimate(None, None)
    assert total([seconds, seconds]) == TimeEstimate(40.0, 80.0)
    assert str(total([seconds, epochs])) == "at least 20 s (estimate)"
    assert str(total([epochs, epochs])) == "duration known after the first epoch"
    assert str(total([])) == "nothing to run"


@pytest.mark.parametrize(
    ("workload", "skipped"),
    [
        ("images = 100\nbatch = 50", {}),
        ("images = 100\nbatch = 51", {"ddp x2": ("102", "100")}),
        ("images = 100\nbatch = 101", {"single x1": ("101", "100"), "ddp x2": ("202", "100")}),
        (
            'batch_scope = "global"\nimages = 100\nbatch = 102',
            dict.fromkeys(("single x1", "ddp x2"), ("102", "100")),
        ),
        ('data = "cifar10"\nbatch = 25001', {"ddp x2": ("50,002", "50,000")}),
        ("images = 0x40\nbatch = 64", {"ddp x2": ("128", "64")}),
    ],
)
def test_a_run_whose_step_takes_more_images_than_there_are_is_skipped(
    workload: str, skipped: dict[str, tuple[str, str]]
) -> None:
    made = plan('modes = ["single", "ddp"]\ndevices = [2]', host(), workload=f"[workload]\n{workload}")
    too_large = {label: why for label, why in skips(made).items() if "lower workload.batch" in why}
    assert set(too_large) == set(skipped)
    for label, numbers in skipped.items():
        assert all(number in too_large[label] for number in numbers)


def test_trainings_side_by_side_need_the_images_of_one(tmp_path: Path) -> None:
    made = plan(
        'modes = ["concurrent", "ddp"]\ndevices = [2]', host(), workload="[workload]\nimages = 50\nbatch = 50"
    )
    assert list(skips(made)) == ["ddp x2"]


def test_the_images_of_a_folder_are_counted(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (8, 8)).save(tmp_path / part / name / f"{number}.png")
    text = f'[workload]\ndata = "folder"\ndata_dir = "{tmp_path}"\nclasses = 2\nbatch = '
    made = plan('modes = ["single", "ddp"]\ndevices = [2]', host(), workload=f"{text}4")
    assert list(skips(made)) == ["ddp x2"]
    assert "takes 8 images, and the training set has 6" in skips(made)["ddp x2"]


def test_a_run_of_ones_own_model_is_named_after_its_function_not_the_folders(tmp_path: Path) -> None:
    file = tmp_path / "some" / "long" / "way" / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text("def build(classes):\n    raise NotImplementedError\n")
    preset = find_preset("quickstart").read([f"workload.model={file}:build"])
    made = make_plan("quickstart", preset, host())
    assert made.runs[0].id == "01-single-1x64-mine.py-build"
