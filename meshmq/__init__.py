"""MeshMQ: processes talk to each other by name, without a broker."""
