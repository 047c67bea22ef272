"""What it means: statistics, results (throughput, speedup, efficiency) and reports."""
