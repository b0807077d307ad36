"""What must outlive the process: jobs, dead letters, messages of topics, kept in a store by a thread of its own."""
