"""Labels that a person adds to recorded episodes afterwards, with a teleoperation device."""
