"""The promises of a family, a feature set and a label, kept; run with pytest or as a program."""

from own_family import Linear, Momentum, Tails

from plumbline.testing import check_family, check_feature_set, check_label


def test_the_family() -> None:
    """Logits, gradients, export, warm start."""
    check_family(Linear)


def test_the_feature_set() -> None:
    """No future, finite memory, the same in the exported graph; for other lags, too."""
    check_feature_set(Momentum)
    check_feature_set(Momentum, {"lags": [3, 24]})


def test_the_label() -> None:
    """Masks what it cannot know, and stays within its horizon."""
    check_label(Tails, {"horizon_seconds": 4 * 3600})


if __name__ == "__main__":
    test_the_family()
    test_the_feature_set()
    test_the_label()
