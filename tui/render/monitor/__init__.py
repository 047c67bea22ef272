"""The running session as text: plan, current run, plots, GPUs, CPU, logs."""
