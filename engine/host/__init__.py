"""The machine: its GPUs, links, driver, CPU and software, and samples of what they do."""
