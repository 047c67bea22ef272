"""The meaning of a session's record: results, diagnoses, reports, charts and comparisons."""
