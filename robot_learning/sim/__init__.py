"""MuJoCo scenes, tasks, cameras, gymnasium environments, experts and vectorised rollouts."""
