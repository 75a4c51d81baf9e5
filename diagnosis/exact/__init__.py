"""What arithmetic says of a fault: how answers differ from right ones, and inputs from theirs."""
