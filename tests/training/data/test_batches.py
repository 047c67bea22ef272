from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.data import augment
from gpubench_tui.engine.training.data.batches import LoaderBatches, ResidentBatches, make_batches
from gpubench_tui.engine.training.data.datasets import (
    NORMALISATION,
    MemoryImages,
    open_data,
    pixels_of,
    replaced_images,
    skipped_images,
)
from gpubench_tui.engine.training.data.loader import BatchSampler
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.errors import (
    DataTooLargeError,
    NoDataError,
    TrainingError,
    kind_of,
    sentence_of,
)
from gpubench_tui.engine.training.parallel.modes import Shard
from PIL import Image

CPU = CpuDevices()


def quiet(note: str) -> None:
    pass


def numbered(count: int, size: int = 8) -> MemoryImages:
    """Images that are filled with their own number, which is their label too."""
    labels = torch.arange(count)
    images = labels.to(torch.uint8).view(-1, 1, 1, 1).expand(count, 3, size, size).contiguous()
    return MemoryImages(images, labels)


class TestShards:
    def test_ranks_take_equal_parts_without_overlap(self) -> None:
        parts = [Shard(rank, 3).of_epoch(100, 8, seed=1, epoch=0).tolist() for rank in range(3)]
        assert [len(part) for part in parts] == [32, 32, 32]
        assert len({index for part in parts for index in part}) == 96

    def test_together_they_are_what_one_process_takes(self) -> None:
        joined = Shard().of_epoch(100, 16, seed=1, epoch=2).view(-1, 16)
        ranks = [Shard(rank, 2).of_epoch(100, 8, seed=1, epoch=2).view(-1, 8) for rank in range(2)]
        assert torch.equal(torch.cat(ranks, dim=1), joined)

    def test_several_batches_of_a_step_are_a_larger_one(self) -> None:
        larger = Shard().of_epoch(100, 24, seed=1, epoch=2)
        parts = [Shard(rank, 2, accumulate=3).of_epoch(100, 4, seed=1, epoch=2) for rank in range(2)]
        assert Shard(0, 2, accumulate=3).steps_per_epoch(100, 4) == len(larger) // 24 == 4
        assert torch.equal(torch.cat([part.view(-1, 4) for part in parts], dim=1).view(-1), larger)

    def test_each_epoch_has_an_order_of_its_own_that_can_be_repeated(self) -> None:
        epochs = [Shard().of_epoch(64, 8, seed=1, epoch=epoch).tolist() for epoch in (0, 1, 0)]
        assert epochs[0] == epochs[2] != epochs[1]
        assert sorted(epochs[1]) == list(range(64))

    def test_every_test_image_belongs_to_exactly_one_rank(self) -> None:
        parts = [Shard(rank, 4).of_test(10).tolist() for rank in range(4)]
        assert sorted(index for part in parts for index in part) == list(range(10))

    def test_fewer_images_than_one_step_takes_is_a_sentence(self) -> None:
        with pytest.raises(TrainingError, match=r"100 images.*128"):
            BatchSampler(Shard(0, 2), 100, 64, seed=0)


@pytest.mark.parametrize("placement", ["device", "loader"])
@pytest.mark.parametrize("workers", [0, 2])
def test_both_placements_yield_the_shards_in_order_and_normalised(placement: str, workers: int) -> None:
    if placement == "device" and workers:
        pytest.skip("the placement has no workers")
    workload = Workload(data="folder", placement=placement, seed=5)
    shard = Shard(1, 2)
    sets = (numbered(50), numbered(11))
    batches = make_batches(sets, workload, shard, 4, CPU, workers, quiet)
    assert batches.steps_per_epoch == 6
    wanted = [shard.of_epoch(50, 4, 5, epoch).tolist() for epoch in (0, 1, 2)]
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in NORMALISATION["folder"])

    def take(first: int, end: int | None, steps: int) -> list[int]:
        seen: list[int] = []
        for _, (images, labels) in zip(range(steps), batches.train(first, end), strict=False):
            expected = (labels.view(-1, 1, 1, 1).float() / 255 - mean) / deviation
            torch.testing.assert_close(images, expected.expand_as(images))
            seen += labels.tolist()
        return seen

    assert take(0, None, 9) == (wanted[0] + wanted[1])[:36]  # given up in the midst of an epoch
    assert take(1, 3, 99) == wanted[1] + wanted[2]
    tested = [label for _, labels in batches.test() for label in labels.tolist()]
    assert tested == shard.of_test(11).tolist()


def test_channels_last_reaches_the_batches() -> None:
    workload = Workload(channels_last=True, augment=("crop",))
    for kind in (ResidentBatches, LoaderBatches):
        sampler = BatchSampler(Shard(), 16, 4, 0)
        last = quiet if kind is ResidentBatches else 0
        batches = kind((numbered(16), numbered(4)), sampler, workload, CPU, 0, last)
        images, _ = next(batches.train(0, 1))
        assert images.is_contiguous(memory_format=torch.channels_last)


class TestAugmentation:
    @pytest.fixture
    def images(self) -> torch.Tensor:
        return torch.randint(256, (64, 3, 12, 12), dtype=torch.uint8, generator=self.generator())

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(1)

    def test_flip_mirrors_about_half(self, images: torch.Tensor) -> None:
        flipped = augment.flip(images, self.generator())
        mirrored = [torch.equal(after, before.flip(2)) for after, before in zip(flipped, images, strict=True)]
        kept = [torch.equal(after, before) for after, before in zip(flipped, images, strict=True)]
        assert all(a != b for a, b in zip(mirrored, kept, strict=True))
        assert 16 < sum(mirrored) < 48

    def test_crop_cuts_every_image_out_of_its_padded_self(self, images: torch.Tensor) -> None:
        cropped = augment.crop(images, self.generator())
        padded = F.pad(images, (4, 4, 4, 4))
        places = set()
        for after, before in zip(cropped, padded, strict=True):
            found = [
                (top, left)
                for top in range(9)
                for left in range(9)
                if torch.equal(after, before[:, top : top + 12, left : left + 12])
            ]
            assert len(found) == 1
            places.add(found[0])
        assert len(places) > 20

    def test_rotation_by_a_known_angle_is_pils(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A smooth image, for the two interpolate differently at edges.
        rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        picture = torch.stack([rows * 7, columns * 7, (rows + columns) * 3.5])
        monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.full(size, 0.9))
        turned = augment.rotate(picture[None], self.generator())[0]
        pil = Image.frombytes(
            "RGB", (32, 32), bytes(picture.permute(1, 2, 0).to(torch.uint8).flatten().tolist())
        )
        wanted = pixels_of(pil.rotate(0.8 * augment.DEGREES, Image.Resampling.BILINEAR)).float()
        inside = (slice(None), slice(4, 28), slice(4, 28))
        assert (turned - wanted)[inside].abs().max() < 3

    def test_jitter_stays_in_range_and_leaves_grey_grey(self, images: torch.Tensor) -> None:
        grey = images[:, :1].expand(-1, 3, -1, -1).float()
        changed = augment.jitter(grey, self.generator())
        torch.testing.assert_close(changed[:, 0], changed[:, 2])
        assert 0 <= changed.min() <= changed.max() <= 255
        brighter = changed.mean(dim=(1, 2, 3)) / grey.mean(dim=(1, 2, 3))
        assert 0.75 < brighter.min() < 0.95
        assert 1.05 < brighter.max() < 1.25

    def test_nothing_asked_changes_nothing(self, images: torch.Tensor) -> None:
        assert torch.equal(augment.augment_batch(images, (), self.generator()), images.float())

    def test_all_of_it_keeps_the_shape(self, images: torch.Tensor) -> None:
        every = ("flip", "crop", "rotate", "jitter")
        done = augment.augment_batch(images, every, self.generator())
        assert (done.shape, done.dtype) == (images.shape, torch.float32)
        assert not done.isnan().any()

    def test_one_pil_image_is_augmented_within_the_same_bounds(self) -> None:
        random.seed(0)
        white = Image.new("RGB", (16, 16), (200, 200, 200))
        cropped = [pixels_of(augment.augment_image(white, ("crop",))) for _ in range(50)]
        covered = [int((pixels > 0).sum()) // 3 for pixels in cropped]
        assert max(covered) <= 256
        assert min(covered) >= 12 * 12
        assert len(set(covered)) > 5
        jittered = [
            float(pixels_of(augment.augment_image(white, ("jitter",))).float().mean()) for _ in range(50)
        ]
        assert 155 < min(jittered) < max(jittered) < 245

    def test_the_draws_of_an_epoch_can_be_repeated(self) -> None:
        workload = Workload(augment=("flip", "crop"), data="folder")
        sets = (numbered(32, 12), numbered(4, 12))
        batches = make_batches(sets, workload, Shard(), 16, CPU, 0, quiet)
        first, other, again = (
            torch.cat([images for images, _ in batches.train(epoch, epoch + 1)]) for epoch in (0, 1, 0)
        )
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


class TestSynthetic:
    def test_the_same_seed_makes_the_same_images(self) -> None:
        for seeds, equal in (((1, 1), True), ((1, 2), False)):
            first, second = (
                open_data(Workload(images=100, seed=seed), Path(), quiet)[0].tensor(quiet) for seed in seeds
            )
            assert torch.equal(first, second) is equal

    def test_sizes_and_classes(self) -> None:
        train, test = open_data(Workload(images=1000, classes=4, image_size=16), Path(), quiet)
        assert (len(train), len(test)) == (1000, 200)
        assert train.tensor(quiet).shape == (1000, 3, 16, 16)
        assert set(train.labels.tolist()) == {0, 1, 2, 3}


def make_folder(root: Path, train: int = 3, size: int = 32) -> Path:
    colours = {"blue": (0, 0, 200), "red": (200, 0, 0)}
    for part, count in (("train", train), ("test", 2)):
        for name, colour in colours.items():
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (size, size), colour).save(root / part / name / f"{number}.png")
    return root


class TestFolder:
    def folder(self, root: Path, **changes: object) -> Workload:
        settings = {"data": "folder", "data_dir": str(root), "classes": 2, "image_size": 32} | changes
        return Workload(**settings)

    def test_classes_are_numbered_by_name(self, tmp_path: Path) -> None:
        train, test = open_data(self.folder(make_folder(tmp_path)), tmp_path, quiet)
        assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert len(test) == 4
        pixels = train.tensor(quiet)
        assert pixels.shape == (6, 3, 32, 32)
        assert pixels[0].amax(dim=(1, 2)).tolist() == [0, 0, 200]
        assert torch.equal(pixels_of(train.image(4)), pixels[4])

    def test_other_sizes_are_resized(self, tmp_path: Path) -> None:
        train, _ = open_data(self.folder(make_folder(tmp_path, size=50)), tmp_path, quiet)
        assert train.tensor(quiet).shape == (6, 3, 32, 32)

    def test_a_corrupt_image_is_named(self, tmp_path: Path) -> None:
        bad = make_folder(tmp_path) / "train" / "red" / "1.png"
        bad.write_bytes(bad.read_bytes()[:60])
        with pytest.raises(NoDataError) as caught:
            open_data(self.folder(tmp_path), tmp_path, quiet)
        assert str(bad) in str(caught.value)

    @pytest.mark.parametrize(("placement", "workers"), [("device", 0), ("loader", 0), ("loader", 1)])
    def test_an_image_that_breaks_later_is_replaced_by_the_next_of_its_class(
        self, placement: str, workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        workload = self.folder(make_folder(tmp_path, train=100), placement=placement)
        sets = open_data(workload, tmp_path, quiet)
        last = tmp_path / "train" / "blue" / "99.png"
        last.write_bytes(b"no image")
        assert replaced_images(sets) == []
        batches = make_batches(sets, workload, Shard(), 10, CPU, workers, quiet)
        for images, labels in batches.train(0, 1):
            # The images of class 0 are blue, those of class 1 red.
            assert torch.equal(images[:, 2, 0, 0] < images[:, 0, 0, 0], labels.bool())
        assert capfd.readouterr().out.count(str(last)) == 1
        (replaced,) = replaced_images(sets)
        assert (replaced.folder, replaced.files) == (str(tmp_path / "train"), 1)
        assert replaced.first == f"{last} is not an image in a known format"
        (tmp_path / "train" / "blue" / "5.png").unlink()
        with pytest.raises(NoDataError, match=r"2 of 100 images of a class cannot be read"):
            sets[0].tensor(quiet)

    def test_grey_of_16_bits_is_not_white(self, tmp_path: Path) -> None:
        for number, file in enumerate(sorted(make_folder(tmp_path).rglob("*.png"))):
            Image.new("I;16", (40, 40), 6000 * number).save(file)
        train, _ = open_data(self.folder(tmp_path), tmp_path, quiet)
        assert train.tensor(quiet).amax(dim=(1, 2, 3)).tolist() == pytest.approx(
            [6000 * number / 257 for number in range(4, 10)], abs=1
        )

    def test_what_is_left_out_is_noted(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        bad = make_folder(tmp_path, train=100) / "train" / "red" / "7.png"
        bad.write_bytes(b"")
        notes: list[str] = []
        train, test = open_data(self.folder(tmp_path), tmp_path, notes.append)
        assert len(train) == 199
        (skipped,) = skipped_images((train, test))
        assert (skipped.folder, skipped.files) == (str(tmp_path / "train"), 1)
        assert skipped.first.startswith(f"{bad} ")
        assert len(notes) == 1 and str(bad) in notes[0]
        assert str(bad) in capsys.readouterr().out

    def test_what_does_not_fit_is_a_sentence(self, tmp_path: Path) -> None:
        for wrong, words in (
            ({"data_dir": None}, "data_dir"),
            ({"data_dir": str(tmp_path / "nowhere")}, "no folder .*train"),
            ({"classes": 3}, "has 2 class folders"),
        ):
            folder = tmp_path if (tmp_path / "train").exists() else make_folder(tmp_path)
            with pytest.raises(TrainingError, match=words):
                open_data(self.folder(folder, **wrong), tmp_path, quiet)

    def test_a_class_only_in_test_is_an_error(self, tmp_path: Path) -> None:
        (make_folder(tmp_path) / "test" / "green").mkdir()
        with pytest.raises(TrainingError, match="green"):
            open_data(self.folder(tmp_path), tmp_path, quiet)

    def test_an_empty_folder_has_no_data(self, tmp_path: Path) -> None:
        with pytest.raises(NoDataError, match="holds no images"):
            open_data(self.folder(make_folder(tmp_path, train=0)), tmp_path, quiet)


def test_a_resident_data_set_that_does_not_fit_names_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: MemoryImages, note: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 GiB")

    monkeypatch.setattr(MemoryImages, "tensor", full)
    with pytest.raises(DataTooLargeError) as caught:
        make_batches((numbered(64), numbered(8)), Workload(batch=4), Shard(), 4, CPU, 0, quiet)
    assert kind_of(caught.value) == "out of memory"
    sentence = sentence_of(caught.value, 4)
    assert "64 images" in sentence and 'workload.placement = "loader"' in sentence
    assert "workload.batch" not in sentence
