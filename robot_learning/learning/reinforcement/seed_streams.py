"""The purposes that random numbers are drawn for, each with a stream of seeds of its own.

A stream's number is the second part of `Seeds.of`. The numbers of imitation learning are of its own
runs, of which none is one of these: 11 means corrective labels there.
"""

WEIGHTS, EPISODES, ACTIONS, MINIBATCHES = 11, 12, 13, 14
CHOOSING, FINAL = 15, 16
"""Seeds of the episodes that choose the policy which is kept, and of those that measure it."""
ROLLOUTS, MIXING = 17, 18
"""Seeds of the episodes that are cut into segments to be ranked, and of random actions in them."""
