"""The demo county, made from a fixed seed: every name, number and place in it is invented."""

from handlers.demo.county import FOUNDED, DemoPhone, DemoPhones, build, demo_phones

__all__ = ["FOUNDED", "DemoPhone", "DemoPhones", "build", "demo_phones"]
