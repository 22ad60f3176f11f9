"""What every architecture needs: one `train_step` on three backends, checks of input, files that are whole."""

from . import validation
from .gradients import apply_gradients, input_gradient, value_and_grad
from .model import Model, forward
