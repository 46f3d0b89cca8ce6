"""The robot as other tools know it: a tree of links and joints, and its URDF."""
