"""All that differs between CUDA and CPU, behind one interface, `RankDevices`."""
