"""A run is a folder: its configuration, status, metrics, frames and checkpoints, and the commands that steer it.

The worker writes the folder; everyone else reads it. Only `checkpoint` imports torch.
`run` opens and lists runs, `layout` names their files, `status` has the states, `metrics` joins the curves of all lives,
`checkpoint` and `checkpoint_index` store training states, `supervisor` starts workers, `remote` mirrors runs elsewhere.
"""
