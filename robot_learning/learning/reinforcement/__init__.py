"""Learning from rewards: REINFORCE and PPO, in any gymnasium environment."""
