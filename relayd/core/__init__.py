"""What relayd decides, without doing: no I/O, no clock, no dice, no logging."""
