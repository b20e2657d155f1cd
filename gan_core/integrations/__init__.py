"""Other programs that follow a run: TensorBoard, trackio and webhooks.

`follower` reads the run's folder and calls one integration, `processes` starts the followers, `registry` lists the integrations,
and `interface` says what one is.
"""
