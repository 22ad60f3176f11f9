from .dense import *  # noqa: F403
from .dense import HiddenLayers
