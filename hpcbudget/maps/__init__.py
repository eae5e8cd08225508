"""Maps: members averaged over time, carried to one grid and reduced over each ensemble."""
