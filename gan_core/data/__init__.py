"""Real pictures: each module has `load() -> (images uint8 (N, C, H, W), labels int64 (N,) or None)`."""
