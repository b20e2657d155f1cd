"""What a notebook brings: Keras models, torch networks of tutorials, arrays.

They become the networks and data that a `Trainer` takes, and what was learned goes back to them. Training and files are left to
others.
"""
