"""Skill, when outcomes come: predictions joined with what became of them, and watched."""
