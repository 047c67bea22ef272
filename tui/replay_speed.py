"""The speed of replays."""

REPLAY_SPEED = 10.0
"""Multiple of real time at which a replay begins, unless another one is asked for."""
