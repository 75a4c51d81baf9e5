"""The kinds: ``blind`` was written before its author had read a detector, ``informed`` after."""
