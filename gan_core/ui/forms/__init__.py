"""The native components: the two views, the settings form, the choice of data and the knobs of a running run.

These modules lay out and wire; what a control means is decided in `controls`, and what moves is drawn by `web/`.
`train_tab` and `runs_tab` are the views, `settings` the form of the next run, `data_panel` the choice of data,
`knobs` describes what can be changed while a run trains.
"""
