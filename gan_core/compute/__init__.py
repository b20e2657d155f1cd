"""Where and how the networks run: device, number format, threads, CUDA graphs, several processes.

This package times and schedules work; what is trained is up to others. `choices` names the options and their defaults,
`autotune` measures them, `thread_tuner` adapts the number of threads while training, `cuda_graphs` captures updates,
`distributed` averages gradients across processes, `processes` checks whether a process is alive (it imports no torch).
"""
