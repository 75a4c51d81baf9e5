"""The exact checks of the live stream: arithmetic on logged rows, before any statistics."""
