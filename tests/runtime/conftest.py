from expert_robots import make_expert_source, make_robot, profile

__all__ = ["make_expert_source", "make_robot", "profile"]
