"""Telling people by a webhook what the status page shows: what to tell, in which form, and once."""
