"""What the notebooks show: images, latent maps, live training curves, and the package's own source.

The look of every figure is `plt.style.use("dlarch_keras.series")`.
"""

import inspect
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn.metrics import precision_recall_curve, roc_curve

from dlarch_keras.core import validation


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
    figsize = (size * columns + 1.2, size * len(rows) + 0.4)
    figure, axes = plt.subplots(len(rows), columns, figsize=figsize, squeeze=False)
    for row, (name, images) in zip(axes, rows.items()):
        for axis, image in zip(row, images):
            axis.imshow(np.clip(image, 0, 1), vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    _head(figure, title)
    return figure


def _head(figure, title):
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)


def latent_map(axis, codes, labels):
    """Draw each 2-D code as its label, so that the colours only help.

    Args:
        axis: `matplotlib.axes.Axes` to draw on.
        codes: `(n, 2)`.
        labels: `(n,)` integers.
    """
    colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for number, label in enumerate(np.unique(labels)):
        color = colors[number % len(colors)]
        axis.scatter(*codes[labels == label].T, s=34, color=color, linewidths=0.2, marker=f"${label}$")
    axis.set(xlabel="code 1", ylabel="code 2")


def decision_map(headings, branches):
    """Draw what a reader may want, at the left, and row by row where that leads; one colour for each branch.

    Args:
        headings: of the four columns.
        branches: `{text: rows}`, from top to bottom; a text holds a name and, from its second line on, what is wanted;
            a row holds three texts: what more exactly, on which condition, and where to go.

    Returns:
        `matplotlib.figure.Figure`
    """
    lefts, width, height, gap = (0.1, 2.85, 5.45, 7.15), 2.3, 0.44, 0.14  # inches; the boxes' width, a row's height
    bottom = 0.5 + sum(height * len(rows) + gap for rows in branches.values())
    figure = plt.figure(figsize=(lefts[-1] + width + 0.1, bottom), layout="none")
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, figure.get_figwidth()), ylim=(bottom, 0))
    axis.set_axis_off()

    def write(left, middle, text, **style):
        axis.text(left, middle - 0.03, text, fontsize=11, linespacing=1.4, va="center_baseline", **style)

    def box(left, middle, height, color):
        shape = FancyBboxPatch((left, middle - height / 2), width, height, "round,pad=0,rounding_size=0.07")
        axis.add_patch(shape).set(facecolor=(color, 0.2), edgecolor=color)

    for left, heading in zip(lefts, headings):
        write(left, 0.27, heading, fontweight="bold")
    top, ease = 0.5, np.linspace(0, 1, 30)
    for number, (text, rows) in enumerate(branches.items()):
        color, middle = f"C{number}", top + height * len(rows) / 2
        name, wanted = text.split("\n", 1)
        box(lefts[0], middle, height * len(rows) - 0.1, color)
        write(lefts[0] + width / 2, middle - 0.11 * text.count("\n"), name, ha="center", fontweight="bold")
        write(lefts[0] + width / 2, middle + 0.11, wanted, ha="center")
        for row, (exactly, condition, end) in enumerate(rows):
            y = top + height * (row + 0.5)
            axis.plot(lefts[0] + width + 0.35 * ease, middle + (y - middle) * ease**2 * (3 - 2 * ease), color=color)
            write(lefts[1], y, exactly)
            write(lefts[2], y, condition)
            box(lefts[3], y, height - 0.1, color)
            write(lefts[3] + 0.1, y, end, fontweight="bold")
        top += height * len(rows) + gap
    return figure


def detection_curves(scores, labels, thresholds=(), title=None):
    """Draw how a detector's scores spread, its ROC curve and its precision-recall curve, with thresholds on all three.

    Args:
        scores: `(n,)`, higher = more anomalous.
        labels: `(n,)`, 1 = anomaly, 0 = normal.
        thresholds: scores from which on there is an alert; marked A, B, ... in this order.
        title: what the picture shows.

    Returns:
        `matplotlib.figure.Figure`
    """
    figure, (spread, roc, recall_axis) = plt.subplots(1, 3, figsize=(10, 3.4))
    false_alarms, hits, roc_thresholds = roc_curve(labels, scores)
    precision, recall, recall_thresholds = precision_recall_curve(labels, scores)
    bins = np.linspace(*np.quantile(scores, [0.001, 0.999]), 60)
    for label, name in ((0, "normal"), (1, "anomaly")):
        shown = scores[labels == label].clip(bins[0], bins[-1])  # the outermost bars hold what lies beyond
        spread.hist(shown, bins, density=True, alpha=0.6, label=name)
    roc.plot(false_alarms, hits)
    roc.plot([0, 1], [0, 1], ":", color="0.6")
    recall_axis.plot(recall[:-1], precision[:-1])
    recall_axis.axhline(np.mean(labels), linestyle=":", color="0.6")
    for letter, threshold in zip("ABCDEFGH", thresholds):
        spread.axvline(threshold, color="0.2", linewidth=1)
        spread.text(threshold, spread.get_ylim()[1], letter, ha="center", va="bottom")
        at = np.flatnonzero(roc_thresholds >= threshold)[-1]
        roc.annotate(letter, (false_alarms[at], hits[at]), fontweight="bold", ha="center", va="center")
        at = min(np.searchsorted(recall_thresholds, threshold), len(recall_thresholds) - 1)
        recall_axis.annotate(letter, (recall[at], precision[at]), fontweight="bold", ha="center", va="center")
    spread.set(xlabel="anomaly score", ylabel="density")
    spread.legend()
    roc.set(xlabel="share of normal rows alerted", ylabel="share of anomalies found")
    recall_axis.set(xlabel="recall: share of anomalies found", ylabel="precision", ylim=(0, 1.05))
    _head(figure, title)
    return figure


class Measure(keras.callbacks.Callback):
    """Adds values to those that are logged, every few epochs; callbacks after it, such as `LiveCurve`, see them.

    Args:
        measure: function of the model that returns `{name: number}`.
        every: epochs from one measurement to the next; the last of those asked for has one in any case.
    """

    def __init__(self, measure, every=1):
        super().__init__()
        self.measure, self.every = measure, validation.positive_int("every", every)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            logs.update(self.measure(self.model))


class FilmStrip(keras.callbacks.Callback):
    """Keeps what a model draws before training and after some epochs: `image_rows(film.rows)` shows it.

    Args:
        draw: function of the model that returns images `(n, height, width, channels)`, from the same codes each time.
        epochs: after which epochs to keep them, from 1 on.

    Attributes:
        rows: `{"epoch 0": images, ...}`; a run that goes on from a later epoch adds to those that are there.
    """

    def __init__(self, draw, epochs):
        super().__init__()
        self.draw, self.epochs, self.rows = draw, set(epochs), {}

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0:
            self.rows = {"epoch 0": self.draw(self.model)}

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in self.epochs:
            self.rows[f"epoch {epoch + 1}"] = self.draw(self.model)


def log_ticks(*axes):
    """Label logarithmic axes (`axis.xaxis` of matplotlib) at 1, 2 and 5 times powers of ten, as plain numbers."""
    for axis in axes:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


class LiveCurve(keras.callbacks.Callback):
    """Draws the logged values while a model trains: a progress bar and one picture, renewed as epochs end.

    Args:
        title: what the picture shows.
        ylabel: quantity and unit of the values.
        names: the logged values to draw; all of them by default.
        yscale: "linear" or "log".
        every: least time between two drawings, seconds.
    """

    def __init__(self, title="", ylabel="loss", names=None, yscale="linear", every=1.0):
        super().__init__()
        self.title, self.ylabel, self.names, self.yscale, self.every = title, ylabel, names, yscale, every

    def on_train_begin(self, logs=None):
        self.values, self.epoch = {}, 0
        self.start = self.drawn = time.perf_counter()
        self.bar = self.picture = None
        self._show()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        for name in self.names or logs:
            if name in logs:  # validation may come every few epochs only
                self.values.setdefault(name, []).append((epoch + 1, float(logs[name])))
        if time.perf_counter() - self.drawn > self.every:
            self._show()

    def on_train_end(self, logs=None):
        self._show()

    def _show(self):
        from IPython.display import HTML

        self.drawn = time.perf_counter()
        total, seconds = self.params["epochs"], self.drawn - self.start
        bar = f'<progress value="{self.epoch}" max="{total}"></progress>'
        self.bar = _display(HTML(f"{bar} {self.epoch} of {total} epochs, {seconds:.0f} s"), self.bar)
        if self.values:
            figure, axis = plt.subplots(figsize=(7, 3))
            for name, points in self.values.items():
                axis.plot(*zip(*points), "--" if name.startswith("val_") else "-", label=name)
            axis.set(title=self.title, xlabel="epoch", ylabel=self.ylabel, yscale=self.yscale)
            axis.xaxis.get_major_locator().set_params(integer=True)
            if self.yscale == "log":
                log_ticks(axis.yaxis)
            axis.legend()
            self.picture = _display(figure, self.picture)
            plt.close(figure)


def _display(content, handle):
    """Show `content` in place of what `handle` shows, or anew; the handle to it (None outside a notebook)."""
    from IPython.display import display

    if handle is None:
        return display(content, display_id=True)
    handle.update(content)
    return handle
