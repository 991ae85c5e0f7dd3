"""A strict stand-in for the WeChat platform; it speaks only HTTP and imports none of our code."""

from bot.simulator.app import Simulator, run_simulator, serve
from bot.simulator.assumptions import assumptions
from bot.simulator.settings import Kind, Mode, SimulatorSettings, TemplateSpec

__all__ = ["Kind", "Mode", "Simulator", "SimulatorSettings", "TemplateSpec", "assumptions", "run_simulator", "serve"]
