"""What predictions were worth, once outcomes come: scores, bets on them, bounds for them.

Pure statistics; who joins outcomes with predictions is `monitoring.watching.skill`. What is
promised, and why it may be, is written in docs/skill.md.
"""
