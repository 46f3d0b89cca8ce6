"""Bytes on the wire: the serial port, and the frames of each protocol."""
