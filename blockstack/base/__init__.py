"""What every room stands on: errors, units, hints, histograms, columns; nothing of the model."""
