"""Augmentation, implemented twice: for a whole batch on its device, and for one PIL image in a loader worker.

Both apply the same operations in the same order (flip, crop, rotate, jitter) and with the same ranges; only
their random numbers differ. The operations are those of torchvision's RandomHorizontalFlip,
RandomCrop(padding=4), RandomRotation(10) and ColorJitter(0.2, 0.2, 0.2).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from ...plan.workload.workload import Augmentation

PADDING = 4
DEGREES = 10.0
JITTER = 0.2
LUMA = (0.299, 0.587, 0.114)


def augment_batch(images: Tensor, steps: Sequence[Augmentation], generator: torch.Generator) -> Tensor:
    """Augment uint8 images (batch, 3, height, width) on their device; return float32 images in 0..255.

    Each image draws its own random numbers from `generator`, which must be on the images' device.
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
    """Mirror about half of the images horizontally."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device, generator=generator) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to 4 pixels in each direction; fill with black."""
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
    """Rotate each image by up to 10 degrees about its centre, bilinearly; fill with black."""
    batch, _, height, width = images.shape
    draw = torch.rand(batch, device=images.device, generator=generator)
    angle = (draw * 2 - 1) * math.radians(DEGREES)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # The coordinates of grid_sample run from -1 to 1 along both axes, whatever the image's shape.
    first = torch.stack([cosine, -sine * height / width, zero], dim=1)
    second = torch.stack([sine * width / height, cosine, zero], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change each image's brightness, then contrast, then saturation by up to 20%."""
    draw = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    brightness, contrast, saturation = 1 + JITTER * (2 * draw - 1)
    images = (images * brightness).clamp(0, 255)
    images = torch.lerp(grey(images).mean(dim=(2, 3), keepdim=True), images, contrast).clamp(0, 255)
    return torch.lerp(grey(images).expand_as(images), images, saturation).clamp(0, 255)


def grey(images: Tensor) -> Tensor:
    """Return the luma of RGB images, (batch, 1, height, width)."""
    red, green, blue = images.unbind(dim=1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(1)


def augment_image(image: Image.Image, steps: Sequence[Augmentation]) -> Image.Image:
    """Augment one RGB image with random numbers of the module `random`, which each loader worker seeds."""
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
