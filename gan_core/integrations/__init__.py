"""Other programs that follow a run: TensorBoard and trackio.

Each integration reads the run folder in a process separate from the worker, so a slow or broken one cannot stop training.
`follower` reads the folder and feeds the integrations.
"""
