"""The ranks as a group, and the modes: how a model is wrapped and sharded."""
