"""Augmentation, twice: of a whole batch on its device, and of one PIL image in a loader's worker.

Both do the same in the same order, flip, crop, rotate, jitter, with the same ranges; only their random
numbers differ. What they do is what torchvision's RandomHorizontalFlip, RandomCrop(padding=4),
RandomRotation(10) and ColorJitter(0.2, 0.2, 0.2) do.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from ..plan.preset import Augmentation

PADDING = 4
DEGREES = 10.0
JITTER = 0.2
LUMA = (0.299, 0.587, 0.114)


def augment_batch(images: Tensor, steps: Sequence[Augmentation], generator: torch.Generator) -> Tensor:
    """Augment uint8 images (batch, 3, height, width) where they are; the result is float32 in 0..255.

    Every image draws its own random numbers from `generator`, which lives on the images' device.
    """
    if "flip" in steps:
        images = flip(images, generator)
    if "crop" in steps:
        images = crop(images, generator)
    images = images.float()
    if "rotate" in steps:
        images = rotate(images, generator)
    if "jitter" in steps:
        images = jitter(images, generator)
    return images


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror about half of the images left to right."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device, generator=generator) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to 4 pixels each way, black coming in."""
    batch, _, height, width = images.shape
    device = images.device
    span = 2 * PADDING + 1
    top = torch.randint(span, (batch, 1), device=device, generator=generator)
    left = torch.randint(span, (batch, 1), device=device, generator=generator)
    rows = top + torch.arange(height, device=device)
    columns = left + torch.arange(width, device=device)
    padded = F.pad(images, (PADDING,) * 4).permute(0, 2, 3, 1)
    every = torch.arange(batch, device=device)[:, None, None]
    return padded[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def rotate(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each image by up to 10 degrees about its centre, bilinearly, black coming in."""
    batch, _, height, width = images.shape
    draw = torch.rand(batch, device=images.device, generator=generator)
    angle = (draw * 2 - 1) * math.radians(DEGREES)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # grid_sample's coordinates run from -1 to 1 on both axes, whatever the image's shape.
    first = torch.stack([cosine, -sine * height / width, zero], dim=1)
    second = torch.stack([sine * width / height, cosine, zero], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, then contrast, then saturation of each image by up to 20%."""
    draw = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    brightness, contrast, saturation = 1 + JITTER * (2 * draw - 1)
    images = (images * brightness).clamp(0, 255)
    images = torch.lerp(grey(images).mean(dim=(2, 3), keepdim=True), images, contrast).clamp(0, 255)
    return torch.lerp(grey(images).expand_as(images), images, saturation).clamp(0, 255)


def grey(images: Tensor) -> Tensor:
    """Brightness as the eye sees it, (batch, 1, height, width)."""
    red, green, blue = images.unbind(dim=1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(1)


def augment_image(image: Image.Image, steps: Sequence[Augmentation]) -> Image.Image:
    """Augment one RGB image, drawing from the module `random`, which each loader worker has seeded."""
    width, height = image.size
    if "flip" in steps and random.random() < 0.5:
        image = ImageOps.mirror(image)
    if "crop" in steps:
        padded = ImageOps.expand(image, PADDING)
        left, top = random.randint(0, 2 * PADDING), random.randint(0, 2 * PADDING)
        image = padded.crop((left, top, left + width, top + height))
    if "rotate" in steps:
        image = image.rotate(random.uniform(-DEGREES, DEGREES), Image.Resampling.BILINEAR)
    if "jitter" in steps:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(random.uniform(1 - JITTER, 1 + JITTER))
    return image
