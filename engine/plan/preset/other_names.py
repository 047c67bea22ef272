"""Names that other programs and papers give to the keys of a preset, by which these are found too."""

from __future__ import annotations

OTHER_NAMES = {
    "accumulation_steps": "accumulate",
    "amp": "precision",
    "arch": "model",
    "batch_size": "batch",
    "block_size": "sequence_length",
    "bs": "batch",
    "checkpointing": "checkpoint_activations",
    "context_length": "sequence_length",
    "dataset": "data",
    "dtype": "precision",
    "duration": "seconds",
    "gpus": "devices",
    "grad_accum": "accumulate",
    "grad_clip": "clip_gradients",
    "gradient_accumulation": "accumulate",
    "gradient_checkpointing": "checkpoint_activations",
    "image": "image_size",
    "lr": "learning_rate",
    "max_grad_norm": "clip_gradients",
    "mode": "modes",
    "network": "model",
    "nproc": "devices",
    "num_gpus": "devices",
    "num_workers": "loader_workers",
    "resolution": "image_size",
    "seq_len": "sequence_length",
    "strategy": "modes",
    "torch_compile": "compile",
    "vocab_size": "vocabulary",
    "wd": "weight_decay",
    "workers": "loader_workers",
    "world_size": "devices",
}
"""Names of keys here by their names elsewhere."""


def other_names(key: str) -> list[str]:
    """Return what a key is called elsewhere."""
    return [elsewhere for elsewhere, here in OTHER_NAMES.items() if here == key]
