"""Reads the log in order, measures every row, gathers evidence and says what is the matter."""
