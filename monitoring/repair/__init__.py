"""Incidents: what asked for one, what was tried, how it ended; retrains, promotions, rollbacks."""
