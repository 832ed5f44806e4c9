"""The export itself: ``exporter`` knows the order, ``placing`` finds runs, ``filling`` fills them."""
