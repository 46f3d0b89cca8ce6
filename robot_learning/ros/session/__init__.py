"""Parts of the nodes that lead one episode after the other."""
