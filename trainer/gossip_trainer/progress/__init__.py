"""How far the whole job is: counters that merge, the budget, and the record that ends it."""
