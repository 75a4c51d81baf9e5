"""What arithmetic says of a fault: how answers differ from the right ones, and inputs from theirs."""
