"""Servos on serial buses: their bytes, their registers, the bus itself, and an emulator of them."""
