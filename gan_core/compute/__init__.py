"""Where and how the networks run: device, number format, threads, CUDA graphs, several processes.

This package times and schedules work; it does not know what is trained. `choices` names the options and their defaults,
`autotune` measures them, `thread_tuner` adapts the number of threads while training, `cuda_graphs` captures updates,
`distributed` averages gradients across processes, `processes` tells whether a process is alive (it imports no torch).
"""
