"""What a dashboard is promised: plain values, and the ways to read them."""
