"""Ways to find peers; each takes an announcement and passes on rumours."""
