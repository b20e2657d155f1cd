"""One command each; every benchmark prints a table with ratios and the thread count beside each figure."""
