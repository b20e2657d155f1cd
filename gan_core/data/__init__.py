"""Real data: each module has a `source(ask) -> Loaded` for the registry, see `asking`. torch only where torchvision reads."""
