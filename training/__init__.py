"""Offline: data, features, labels, families, losses, calibration, gate and export make bundles.

Start reading at `training.run`.
"""
