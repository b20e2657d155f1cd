"""The training process, `python -m gan_core.worker RUN | --new`: commands in, frames, metrics and checkpoints out.

It reads commands from the run folder and writes its results there; it knows neither the page nor its callers.
`cli` parses the command line, `process` takes the lock and reports how a run ended, `session` is one life of a run,
`coordinator` keeps several processes in step, `recorder` and `status_writer` write the folder.
"""
