"""The demo's world, generated once in a process: it takes the better part of a second."""

from functools import lru_cache

from app.demo.world import World, generate


@lru_cache(1)
def demo_world() -> World:
    """The world as `startrail demo` has it. Its dictionaries are shared: copy before you change one."""
    return generate(0)
