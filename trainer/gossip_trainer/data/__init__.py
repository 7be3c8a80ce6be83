"""Where examples come from and which worker sees which, in what order."""
