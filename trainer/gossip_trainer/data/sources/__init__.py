"""One module per source of data; each has a `load` that returns a data set."""
