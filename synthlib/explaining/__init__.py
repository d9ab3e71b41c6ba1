"""What 08_why asks: what goes with the gap, what a shortcut does, which texts are hard, what repairs help."""
