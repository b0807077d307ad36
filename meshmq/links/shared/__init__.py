"""Large values between processes of one host: lent in memory that both can read, instead of sent."""
