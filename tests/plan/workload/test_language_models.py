"""Presets of language models: what is refused, by its key, and runs that have too little to learn from."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import pytest
from gpubench_tui.engine.host.facts import Cpu, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.preset import Preset
from gpubench_tui.engine.plan.preset.read import PresetError, read_preset

HOST = Host(
    name="server", cpu=Cpu("cpu", (0, 1), 2, 1 << 34), software=Software("3.11", "linux", torch="2.13.0")
)


def read(keys: str) -> Preset:
    workload = f'training = "tokens"\nmodel = "gpt-tiny"\nbatch = 2\n{keys}'
    keys_once = "\n".join({line.partition(" = ")[0]: line for line in workload.splitlines()}.values())
    matrix = 'modes = ["single", "ddp"]\ndevices = [2]'
    text = f'title = "t"\nquestion = "q"\n[workload]\n{keys_once}\n[matrix]\n{matrix}'
    return read_preset(text, "test.toml")


def plan(keys: str) -> Plan:
    return make_plan("test", read(keys), HOST)


@pytest.mark.parametrize(
    ("keys", "key", "said"),
    [
        (
            'model = "cifar-resnet18"',
            "model",
            "there is no language model 'cifar-resnet18': use gpt-tiny, gpt2",
        ),
        ('model = "gpt3"', "model", "llama-8b"),
        ('data = "cifar10"', "data", '"cifar10" holds images; expected "synthetic", "text" or "tokens"'),
        ('data = "folder"\ndata_dir = "x"', "data", "holds images"),
        ('data = "text"', "data_dir", "needs the file of the text, or a folder of texts"),
        ('data = "tokens"', "data_dir", "needs the folder with train.bin and val.bin"),
        (
            'data = "text"\ndata_dir = "x"\nvocabulary = 128',
            "vocabulary",
            "read as bytes, of which there are 256",
        ),
        (
            "sequence_length = 1025",
            "sequence_length",
            "1,025; gpt-tiny has learned positions, for 1,024 tokens",
        ),
        ("tokens = 1024", "tokens", "1,024; a sequence takes 1,025"),
        ('augment = ["flip"]', "augment", "only images are augmented"),
        ("channels_last = true", "channels_last", "only images have channels"),
        ('training = "images"', "model", 'gpt-tiny is a language model: set training = "tokens"'),
        ('training = "images"\nmodel = "cnn"\ndata = "text"', "data", '"text" is for language models'),
        ('training = "words"', "training", "use images, tokens or path/to/file.py"),
        ("vocabulary = 1", "vocabulary", "2"),
    ],
)
def test_what_is_refused(keys: str, key: str, said: str) -> None:
    with pytest.raises(PresetError, match=re.escape(said)) as raised:
        read(keys)
    assert raised.value.key == f"workload.{key}"


def test_rotations_have_no_longest_sequence() -> None:
    assert read('model = "llama-tiny"\nsequence_length = 100000').workload.sequence_length == 100_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no file or folder"),
        (b"", "is empty"),
        (b"x" * 30, "30 bytes, and 34 are needed"),
    ],
)
def test_data_that_cannot_be_used_are_refused_before_anything_starts(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "data").write_bytes(content)
    with pytest.raises(PresetError, match=said) as raised:
        plan(f'data = "text"\ndata_dir = "{tmp_path}/data"\nsequence_length = 16')
    assert raised.value.key == "workload.data_dir"


def test_an_unknown_token_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(array("H", [1] * 1000 + [300]).tobytes())
    keys = f'data = "tokens"\ndata_dir = "{tmp_path}/data.bin"\nsequence_length = 16'
    with pytest.raises(PresetError, match="the token 300, and the vocabulary is 256"):
        plan(keys)
    assert plan(f"{keys}\nvocabulary = 301").to_run


@pytest.mark.parametrize("data", ["synthetic", "text"])
def test_a_step_needs_its_sequences(data: str, tmp_path: Path) -> None:
    """Three sequences of 16: enough for two on one device, too few for two on each of two."""
    (tmp_path / "text").write_bytes(b"x" * (3 * 16 + 1 + 17))
    keys = f'data = "text"\ndata_dir = "{tmp_path}/text"' if data == "text" else "tokens = 49"
    made = plan(f"{keys}\nsequence_length = 16")
    assert [run.label for run in made.to_run] == ["single x1"]
    (reason,) = made.skipped
    assert reason.startswith("a step of all devices takes 4 sequences, and the training set has 3")
    assert ("raise workload.tokens" in reason) == (data == "synthetic")
