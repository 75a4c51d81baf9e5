"""Online: loads bundles, answers predictions, counts them, logs them."""
