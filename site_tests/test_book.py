"""The book in a real browser: `pytest -n 0 site_tests`, with Chromium of the system. It builds the book first.

`BOOK=site pytest -n 0 site_tests` tests one that is built already.
"""

import os
import pkgutil
import shutil
import subprocess
import sys
import threading
import zlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from playwright.sync_api import sync_playwright

import dlarch_keras
from dlarch_keras import metrics
from scripts import book

ROOT = Path(__file__).parents[1]
WIDTHS = (1280, 900, 380)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# What is wider than the window must scroll in a box of its own; what a box cuts off can't be read.
TOO_WIDE = """() => {
    const edge = document.documentElement.clientWidth + 1;
    const scrolls = (box) => box && (/auto|scroll/.test(getComputedStyle(box).overflowX) || scrolls(box.parentElement));
    const wide = [...document.querySelectorAll("article :is(img, table, pre, p, dt, .katex-display)")]
        .filter((each) => each.getBoundingClientRect().right > edge && !scrolls(each.parentElement))
        .map((each) => each.outerHTML.slice(0, 80));
    return document.documentElement.scrollWidth > edge ? ["the page", ...wide] : wide;
}"""
LINKS = """() => ({
    to: [...document.querySelectorAll("a[href]")].map((link) => link.href),
    ids: [...document.querySelectorAll("[id]")].map((each) => each.id),
    broken: [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src),
    foreign: [...document.querySelectorAll("link[rel~=stylesheet], link[rel~=preconnect], script, img, iframe")]
        .map((each) => each.src || each.href || "").filter((address) => /^https?:/.test(address)),
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if "BOOK" in os.environ:
        return Path(os.environ["BOOK"]).resolve()
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", ROOT / "docs", folder], check=True, env=environment)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    with browser.new_context(base_url=address) as context:
        yield context.new_page()


def test_every_page_is_whole(page, site, address):
    """No errors, nothing asked of another host or in vain, nothing cut off at any width, no link that leads nowhere."""
    faults, links, targets = [], {}, set()
    page.on("console", lambda each: faults.append(f"{page.url}: {each.text}") if each.type == "error" else None)
    page.on("pageerror", lambda each: faults.append(f"{page.url}: {each}"))
    page.on("response", lambda each: faults.append(f"{each.status}: {each.url}") if each.status >= 400 else None)
    page.on("request", lambda each: None if each.url.startswith((address, "data:")) else faults.append(each.url))
    paths = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    code = [path for path in paths if "code" in path.parts]
    for path in [*(path for path in paths if path not in code), *code[::10]]:  # pages of code are all made alike
        name = path.relative_to(site).as_posix()
        page.goto(name)
        found = page.evaluate(LINKS)
        foreign = [each for each in found["foreign"] if not each.startswith(address)]
        faults += [f"{name}: {each}" for each in [*found["broken"], *foreign]]
        targets |= {name, *(f"{name}#{each}" for each in found["ids"])}
        links |= {each.removeprefix(address): name for each in found["to"] if each.startswith(address)}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{name} at {width}: {each}" for each in page.evaluate(TOO_WIDE)]
    for link, name in links.items():
        place, anchor = urldefrag(unquote(link))
        known = f"{place}#{anchor}" in targets if anchor else place in targets or (site / place).is_file()
        if not (known or place == ""):
            faults.append(f"{name} links to {link}")
    assert len(targets) > 1000 and not faults, "\n".join(faults)


def test_formulas_are_drawn_and_pictures_shown(page):
    page.goto("notebooks/04_vae.html")
    assert page.locator(".katex-display").count() >= 3 and page.locator(".katex-error").count() == 0
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px KaTeX_Math'))")
    assert page.locator("article img").first.bounding_box()["width"] > 500


def test_search_finds_the_contrastive_loss(page):
    page.goto("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("contrastive loss")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=contrastive+loss")
    page.locator("#search-results li a[href*='10_siamese']").first.wait_for()
    page.locator("#search-results li a[href*='ContrastiveLoss']").first.wait_for()


def brightness(page, name, selector):
    colour = page.locator(selector).first.evaluate(f"(each) => getComputedStyle(each).{name}")
    return sum(map(float, colour.partition("(")[2].rstrip(")").split(",")[:3])) / 3


def test_dark_mode(browser, address):
    with browser.new_context(base_url=address, color_scheme="dark") as context:
        page = context.new_page()
        page.goto("notebooks/04_vae.html")
        for text in ("article p", "article .katex", "article pre span"):
            assert brightness(page, "color", text) > 150
        assert brightness(page, "backgroundColor", "body") < 40
        assert brightness(page, "backgroundColor", "article img") > 200  # axes and their names are drawn in black
        page.locator(".theme-switch-button").locator("visible=true").click()
        page.locator("[data-mode=light].theme-change-button").locator("visible=true").click()
        assert brightness(page, "backgroundColor", "body") > 240
        page.goto("index.html")
        assert brightness(page, "backgroundColor", "body") > 240


def test_without_javascript_the_book_still_reads(browser, address):
    with browser.new_context(base_url=address, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("index.html")
        page.locator("article img").nth(3).click()
        assert page.url.endswith("notebooks/04_vae.html")
        assert "evidence" in page.locator("article").inner_text()
        assert page.locator(".katex-display .katex-html").first.bounding_box()["height"] > 20
        folded = page.locator("article details").first
        assert not folded.locator("pre").first.is_visible()
        folded.locator("summary").click()
        assert folded.locator("pre").first.is_visible()
        page.locator(".prev-next-footer a.right-next").click()
        assert page.url.endswith("notebooks/05_conditional_vae.html")


def test_every_public_name_has_its_place(site):
    *_, listing = (site / "objects.inv").read_bytes().split(b"\n", 4)
    known = {line.split()[0] for line in zlib.decompress(listing).decode().splitlines() if " py:" in line}
    modules = [f"dlarch_keras.{name}" for name in ("datasets", "networks", "plots")]
    modules += [each.name for each in pkgutil.iter_modules(metrics.__path__, "dlarch_keras.metrics.")]
    names = {f"dlarch_keras.{name}" for name in dlarch_keras.__all__}
    names |= {f"{module}.{name}" for module in modules for name in book.offers(import_module(module))}
    assert len(names) > 100 and not names - known


def test_a_reader_downloads_the_notebook_as_it_is_stored(page, site):
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "_sources" / "notebooks" / path.name).read_bytes() == path.read_bytes()
    page.goto("notebooks/04_vae.html")
    assert page.locator("a[href$='_sources/notebooks/04_vae.ipynb']").count()
    assert page.locator("a[href^='https://colab.research.google.com/github/']").count()


def test_a_badge_from_another_host_becomes_words():
    badge = "[![Open in Colab](https://a.example/badge.svg)](https://a.example/04_vae.ipynb) and ![x](attachment:x.png)"
    words = "[Open in Colab](https://a.example/04_vae.ipynb) and ![x](attachment:x.png)"
    assert book.rewritten(ROOT / "notebooks" / "04_vae.ipynb", badge) == words
