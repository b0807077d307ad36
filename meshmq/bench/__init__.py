"""How fast this is here: the same work by MeshMQ and by something else, in turn, in processes of their own."""
