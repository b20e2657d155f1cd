"""How good the generator is: distances, precision and recall, modes, copies, and frames of 2-D points.

Everything works offline and leaves training's random draws alone. `evaluator` measures in slices between training steps,
`suites` choose the measures for a kind of data, `measures`, `feature_free` and `modes` are functions on tensors,
`classifier` reads digits and extracts features, `readability` decides whether a person could read them, `plane` makes frames
of 2-D points.
"""
