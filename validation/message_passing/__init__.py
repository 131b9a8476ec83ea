"""Message passing on one data set, and its state evolution."""
