"""The training process, `python -m gan_core.worker RUN | --new`: commands in, frames, metrics and checkpoints out.

It reads commands from the run folder and writes results there. `main` is the entry: `cli` reads the options, `new_run` makes a
run, `process` locks its folder, and a `session` trains it: `startup`, then steps, `commands` and the `recorder`, until the end.
`coordinator` keeps several processes in step, `status_writer` writes the status.
"""
