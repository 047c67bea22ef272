"""NVIDIA GPUs: NVML, links, throttling, visibility, error messages."""
