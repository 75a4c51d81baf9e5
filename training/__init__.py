"""Offline: data, features, labels, families, calibration, gate and export; writes bundles."""
