"""Online: reads the log, detects, diagnoses, reports, retrains, promotes, rolls back."""
