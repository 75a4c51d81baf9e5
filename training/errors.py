"""Errors of a training.

TrainingError               the training cannot go on; the message says what to change
├── ConfigError             an experiment's file cannot be read or contradicts itself
├── SuccessionError         a retrain would be of another market than what it replaces
├── DataError               the bars cannot be read or must not be used
├── FeatureError            a feature set does not keep its promises
├── LabelError              the labels cannot teach: too few rows, a class is missing
├── TrainerError            a trainer of somebody's own failed or answered something else
└── ExportError             the exported model does not say what the trained one says
"""

from __future__ import annotations


class TrainingError(Exception):
    """The training cannot go on; the message says what to change."""


class ConfigError(TrainingError):
    """An experiment's file cannot be read or contradicts itself."""


class SuccessionError(TrainingError):
    """A retrain would be of another market than the version it is to follow."""


class DataError(TrainingError):
    """The bars cannot be read or must not be used."""


class FeatureError(TrainingError):
    """A feature set does not give what it promises, or not the same in a window as in all bars."""


class LabelError(TrainingError):
    """The labels cannot teach the model what it shall learn."""


class TrainerError(TrainingError):
    """A trainer that is not ours failed, or answered what cannot be understood."""


class ExportError(TrainingError):
    """The exported model does not say what the trained one says."""
