"""How good the generator is: distances, precision and recall, modes, copies, and the plane that 2-D data live in.

Everything here works offline and never touches what training draws. `evaluator` measures in slices between training steps,
`suites` choose the measures that suit the data, `measures`, `feature_free` and `modes` are plain functions on tensors,
`classifier` reads digits and serves as feature extractor, `plane` draws frames of 2-D points.
"""
