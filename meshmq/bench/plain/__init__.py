"""What people write by hand on bare sockets, with msgpack for each message: no acks, no names, no second try."""
