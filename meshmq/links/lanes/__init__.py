"""Lanes: pipes between busy processes of one host, which spare both the threads of libzmq."""
