"""Rehearsals: each breaks a running system on purpose, as a client or operator would."""
