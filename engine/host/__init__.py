"""What this machine is and does: GPUs, links, driver, CPU, software; samples at a fixed rate."""
