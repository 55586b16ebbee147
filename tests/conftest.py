"""What all tests share. The fixtures for runs and fake peers come from the plugin `bnpg.testing.plugin`."""

from hypothesis import HealthCheck, settings

# No assertion of times anywhere: a busy machine must not turn a test red.
settings.register_profile("bnpg", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bnpg")
