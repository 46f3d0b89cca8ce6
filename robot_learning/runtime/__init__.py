"""A robot, its arbiter, who commands it and who records it, in one process and in lockstep."""
