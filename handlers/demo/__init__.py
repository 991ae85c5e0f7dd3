"""The demo county, made from a fixed seed: every name, number and place in it is invented."""
