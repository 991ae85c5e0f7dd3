"""What every test may ask for: databases, a browser. The fixtures themselves are in tests/support."""

from hypothesis import settings

pytest_plugins = ["tests.support.browser", "tests.support.databases"]

# Two cores shared by several processes: how long one example takes says nothing.
settings.register_profile("tongban", deadline=None, print_blob=True)
settings.load_profile("tongban")
