"""Failures of runs: when a rank is taken for failed or hung, what is known of it, and whom it is due to."""
