"""What commands show of runs."""
