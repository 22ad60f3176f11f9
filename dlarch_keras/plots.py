"""What the notebooks show: images, latent maps, live training curves, and the package's own source.

The look of every figure is `plt.style.use("dlarch_keras.series")`.
"""

import inspect
import time

import keras
import matplotlib.pyplot as plt
import numpy as np


def show_source(*objects):
    """The source code of functions, classes or methods as it stands in the installed package, for display."""
    from IPython.display import Markdown

    return Markdown("\n".join(f"```python\n{inspect.getsource(each)}```" for each in objects))


def image_rows(rows, title=None, size=0.8):
    """Draw rows of images, one below the other, each with its name at the left.

    Args:
        rows: `{name: images}`, images of shape `(n, height, width, 1 or 3)` in [0, 1]; every row as long.
        title: what the picture shows.
        size: width of one image, inches.

    Returns:
        `matplotlib.figure.Figure`
    """
    columns = len(next(iter(rows.values())))
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(size * columns + 1.2, size * len(rows) + 0.4), squeeze=False
    )
    for row, (name, images) in zip(axes, rows.items()):
        for axis, image in zip(row, images):
            axis.imshow(np.clip(image, 0, 1), vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    return figure


def latent_map(axis, codes, labels):
    """Scatter 2-D codes, a colour for each label, and print the label at its median, so that colour is not needed.

    Args:
        axis: `matplotlib.axes.Axes` to draw on.
        codes: `(n, 2)`.
        labels: `(n,)` integers.
    """
    classes = np.unique(labels)
    colors = plt.get_cmap("cividis")(np.linspace(0, 1, len(classes)))
    for label, color in zip(classes, colors):
        own = codes[labels == label]
        axis.scatter(*own.T, s=9, color=color, linewidths=0)
        axis.text(
            *np.median(own, axis=0),
            str(label),
            ha="center",
            va="center",
            fontsize=12,
            fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": color, "alpha": 0.9},
        )
    axis.set(xlabel="code 1", ylabel="code 2")


class LiveCurve(keras.callbacks.Callback):
    """Draws the logged values while a model trains: a progress bar and one picture, renewed as epochs end.

    Args:
        title: what the picture shows.
        ylabel: quantity and unit of the values.
        names: the logged values to draw; all of them by default.
        every: least time between two drawings, seconds.
    """

    def __init__(self, title="", ylabel="loss", names=None, every=1.0):
        super().__init__()
        self.title, self.ylabel, self.names, self.every = title, ylabel, names, every

    def on_train_begin(self, logs=None):
        from IPython.display import HTML, display

        self.values = {}
        self.start = self.drawn = time.perf_counter()
        self.bar = display(HTML(self._progress(0)), display_id=True)
        self.picture = None

    def on_epoch_end(self, epoch, logs=None):
        from IPython.display import HTML

        for name in self.names or logs:
            self.values.setdefault(name, []).append(float(logs[name]))
        now = time.perf_counter()
        if now - self.drawn > self.every:
            self.drawn = now
            self.bar.update(HTML(self._progress(epoch + 1)))
            self._draw()

    def on_train_end(self, logs=None):
        from IPython.display import HTML

        self.bar.update(HTML(self._progress(len(next(iter(self.values.values()), [])))))
        self._draw()

    def _progress(self, done):
        total, seconds = self.params["epochs"], time.perf_counter() - self.start
        return f'<progress value="{done}" max="{total}"></progress> {done} of {total} epochs, {seconds:.0f} s'

    def _draw(self):
        from IPython.display import display

        figure, axis = plt.subplots(figsize=(7, 3))
        for name, values in self.values.items():
            axis.plot(range(1, len(values) + 1), values, "--" if name.startswith("val_") else "-", label=name)
        axis.set(title=self.title, xlabel="epoch", ylabel=self.ylabel)
        axis.legend()
        if self.picture is None:
            self.picture = display(figure, display_id=True)
        else:
            self.picture.update(figure)
        plt.close(figure)
