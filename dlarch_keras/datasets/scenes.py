"""Rendered scenes: small lit solids on a ground plane, with their shadows, and a line drawing of each.

Every solid is convex: a ray is inside it between the last entry into and the first exit from the half-spaces, ball or
cylinder whose intersection it is. Light falls by Lambert's law from one side; a point from which the way to the light
crosses another solid is in shadow. Datasheet: `data/scenes.md`.
"""

import numpy as np
from matplotlib.colors import hsv_to_rgb
from scipy import ndimage

from dlarch_keras.core import validation

SOLIDS = ("ball", "box", "cylinder", "pyramid", "roof")
HUES = dict(zip(SOLIDS, (0.02, 0.58, 0.33, 0.13, 0.80)))  # each kind has a colour of its own, but for a spread
HUE_SPREAD = 0.02
CELLS = np.array([(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)], "float32") * 1.4
CAMERA = np.array([0.0, -6.0, 4.6], "float32")
LIGHT = np.array([-0.55, -0.35, 0.75], "float32")
AMBIENT = 0.35
FINER = 2  # rays a pixel, in either direction
REACH = 1.45  # no point of a solid is farther from the middle of its base


def generate_scenes(n, seed=0, size=64, kinds=SOLIDS, solids=(1, 3)):
    """Pictures of solids on a plane, and line drawings of them.

    A kind of solid has a colour of its own with a small spread; where the light stands and what the ground looks like
    varies a little from scene to scene. A drawing shows outlines and edges, and neither colours nor shadows.

    Args:
        n: number of scenes.
        seed: integer; the same seed gives the same scenes.
        size: height and width of the pictures, pixels, 16 or more.
        kinds: of solids, from `SOLIDS`.
        solids: least and largest number of solids in a scene, from 1 to 9.

    Returns:
        `(pictures, drawings, counts)`: `(n, size, size, 3)` and `(n, size, size, 1)`, float32 in [0, 1], a drawing dark
        on white; `(n, 5)` integers, how many of each of `SOLIDS` stand in the scene.
    """
    validation.positive_int("n", n)
    validation.non_negative_int("seed", seed)
    validation.positive_int("size", size, 16)
    if isinstance(kinds, str) or not np.iterable(kinds) or not len(kinds) or any(kind not in SOLIDS for kind in kinds):
        raise ValueError(f"`kinds` must be some of {SOLIDS}, got {kinds!r}.")
    kinds = list(kinds)
    least, most = validation.positive_ints("solids", solids, 2)
    if not least <= most <= len(CELLS):
        raise ValueError(f"`solids` must be two numbers, least and largest, from 1 to {len(CELLS)}, got {solids!r}.")
    rng = np.random.default_rng(seed)
    scenes = [_arrange(rng, kinds, rng.integers(least, most + 1)) for _ in range(n)]
    rays = _camera_rays(size * FINER)
    pictures, drawings = zip(*(_render(scene, rays, size) for scene in scenes))
    counts = [[sum(solid["kind"] == kind for solid in scene["solids"]) for kind in SOLIDS] for scene in scenes]
    return np.stack(pictures), np.stack(drawings), np.array(counts)


def _arrange(rng, kinds, count):
    """One scene: where its light is, what its ground looks like, and its solids, each in a cell of its own."""
    light = LIGHT + rng.normal(0, 0.05, 3)
    cells = CELLS[rng.choice(len(CELLS), count, replace=False)] + rng.uniform(-0.15, 0.15, (count, 2))
    return {
        "light": (light / np.linalg.norm(light)).astype("float32"),
        "ground": hsv_to_rgb(np.array([0.09, 0.22, 0.86]) + rng.normal(0, 0.006, 3)),
        "solids": [_solid(rng, kinds[rng.integers(len(kinds))], cell) for cell in cells],
    }


def _solid(rng, kind, place):
    """A solid as a dictionary: half-spaces `normals · (x - centre) ≤ offsets`, and the radius of a ball or cylinder."""
    radius, height, angle = rng.uniform(0.45, 0.62), rng.uniform(0.7, 1.2), rng.uniform(0, np.pi)
    around = [(np.cos(angle + turn), np.sin(angle + turn)) for turn in np.arange(4) * np.pi / 2]
    up, down = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
    if kind == "ball":
        normals, offsets = [], []
    elif kind == "cylinder":
        normals, offsets = [up, down], [height, 0.0]
    elif kind == "box":
        normals, offsets = [*((x, y, 0.0) for x, y in around), up, down], [radius * 0.85] * 4 + [height, 0.0]
    else:  # four slanted walls, or two slanted and two upright ones
        slant = np.array([height, radius]) / np.hypot(height, radius)
        tilted = [(slant[0] * x, slant[0] * y, slant[1]) for x, y in around]
        if kind == "roof":
            tilted[1::2] = [(x, y, 0.0) for x, y in around[1::2]]
        walls = [radius * slant[0], radius * (slant[0] if kind == "pyramid" else 1.2)] * 2
        normals, offsets = [*tilted, down], [*walls, 0.0]
    hue = HUES[kind] + rng.normal(0, HUE_SPREAD)
    return {
        "kind": kind,
        "centre": np.array([*place, radius if kind == "ball" else 0.0], "float32"),
        "normals": np.array(normals, "float32").reshape(-1, 3),
        "offsets": np.array(offsets, "float32"),
        "radius": radius,
        "color": hsv_to_rgb([hue % 1, *(np.array([0.72, 0.88]) + rng.normal(0, 0.03, 2))]),
    }


def _camera_rays(size):
    """Directions from the camera through each pixel, `(size², 3)`, unit length; row by row from the top left."""
    forward = -CAMERA / np.linalg.norm(CAMERA)
    right = np.array([1.0, 0.0, 0.0], "float32")
    up = np.cross(right, forward)
    steps = ((np.arange(size) + 0.5) / size - 0.5).astype("float32") * 0.72  # the tangent of the field of view
    rays = forward + steps[None, :, None] * right - steps[:, None, None] * up
    return (rays / np.linalg.norm(rays, axis=2, keepdims=True)).reshape(-1, 3)


def _crossing(solid, origins, rays):
    """Distances along each ray at which it enters and leaves a solid, and the surface's normals where it enters.

    A ray that misses the solid does not enter before it leaves.
    """
    start = origins - solid["centre"]
    shape = np.broadcast_shapes(start.shape, rays.shape)[:-1]
    enter, leave = np.full(shape, -np.inf, "float32"), np.full(shape, np.inf, "float32")
    face = np.full(shape, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, (normal, offset) in enumerate(zip(solid["normals"], solid["offsets"])):
            slope, distance = rays @ normal, offset - start @ normal
            at = distance / slope
            closer = (slope < 0) & (at > enter)
            enter, face = np.where(closer, at, enter), np.where(closer, number, face)
            leave = np.where(slope > 0, np.minimum(leave, at), leave)
            leave = np.where((slope == 0) & (distance < 0), -np.inf, leave)
        if solid["kind"] in ("ball", "cylinder"):
            axes = slice(3) if solid["kind"] == "ball" else slice(2)
            a = _dot(rays[..., axes], rays[..., axes])
            b = _dot(rays[..., axes], start[..., axes])
            c = _dot(start[..., axes], start[..., axes]) - solid["radius"] ** 2
            root = np.sqrt(b**2 - a * c)  # NaN where the ray misses
            first, last = (-b - root) / a, (-b + root) / a
            along = (a == 0) & (c < 0)  # within a cylinder and along its axis: only its ends count
            first, last = np.where(along, -np.inf, first), np.where(along, np.inf, last)
            closer = first > enter
            enter, face = np.where(closer, first, enter), np.where(closer, -1, face)
            leave = np.where(np.isnan(root), -np.inf, np.minimum(leave, last))
        normals = (start + enter[..., None] * rays) / solid["radius"]  # of what is round
    if solid["kind"] == "cylinder":
        normals[..., 2] = 0
    if len(solid["normals"]):
        normals = np.where((face >= 0)[..., None], solid["normals"][face], normals)
    return enter, leave, normals


def _render(scene, rays, size):
    """Picture and drawing of one scene: `(size, size, 3)` and `(size, size, 1)`, float32."""
    depth = -CAMERA[2] / rays[:, 2]  # of the ground
    normals = np.broadcast_to(np.array([0, 0, 1], "float32"), rays.shape).copy()
    color = np.broadcast_to(scene["ground"], rays.shape).copy()
    owner = np.full(len(rays), -1)
    for number, solid in enumerate(scene["solids"]):
        near = np.flatnonzero(_passes_near(solid, CAMERA, rays))
        enter, leave, at = _crossing(solid, CAMERA, rays[near])
        seen = (enter < leave) & (enter > 0) & (enter < depth[near])
        hit = near[seen]
        depth[hit], normals[hit], color[hit], owner[hit] = enter[seen], at[seen], solid["color"], number
    points = CAMERA + depth[:, None] * rays
    lit = np.ones(len(rays), bool)
    for number, solid in enumerate(scene["solids"]):
        near = np.flatnonzero(_passes_near(solid, points, scene["light"]) & (owner != number))
        enter, leave, _ = _crossing(solid, points[near], scene["light"])
        lit[near[(enter < leave) & (leave > 0)]] = False
    light = AMBIENT + (1 - AMBIENT) * np.clip(normals @ scene["light"], 0, 1) * lit
    return _coarser((color * light[:, None]).clip(0, 1), size), _drawing(owner, normals, size)


def _passes_near(solid, origins, rays):
    """Whether a ray comes within reach of a solid; most do not, and need no closer look."""
    towards = solid["centre"] - origins
    return _dot(towards, towards) - _dot(towards, rays) ** 2 < REACH**2


def _dot(a, b):
    """Inner products along the last axis; several times as fast as a sum over an axis of three."""
    return np.einsum("...i,...i->...", a, b)


def _drawing(owner, normals, size):
    """White paper, dark where one solid ends or a face meets another."""
    fine = size * FINER
    owner, normals = owner.reshape(fine, fine), normals.reshape(fine, fine, 3)
    edge = np.zeros((fine, fine), bool)
    for axis in (0, 1):
        step = [slice(None, -1) if a == axis else slice(None) for a in (0, 1)]
        following = [slice(1, None) if a == axis else slice(None) for a in (0, 1)]
        other = owner[*step] != owner[*following]
        bend = _dot(normals[*step], normals[*following]) < 0.9
        edge[*step] |= other | bend
    return 1 - _coarser(ndimage.binary_dilation(edge), size)


def _coarser(image, size):
    """Means over the rays of each pixel, `(size, size, channels)`, float32."""
    blocks = image.reshape(size, FINER, size, FINER, -1).astype("float32")
    return np.einsum("iajbc->ijc", blocks) / np.float32(FINER**2)
