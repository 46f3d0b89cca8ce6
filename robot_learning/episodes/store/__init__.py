"""A dataset on disk: its folder, its episodes, its index, its trash."""
