"""The detail phase after the windows: where a step goes, communication, bandwidth, arithmetic."""
