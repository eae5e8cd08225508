"""From regional totals to a reconciled carbon budget: votes, verdicts, gaps, dipoles, closure."""
