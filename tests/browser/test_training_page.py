"""The page of a run, and the one to draw on: its numbers are the engine's, and all can use it."""

from __future__ import annotations

import base64
import json
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.browser.conftest import violations
from tinygrad_mnist.app import drawing, evaluation, pictures
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels
from tinygrad_mnist.app.models import MODELS
from tinygrad_mnist.app.train import Callback, Callbacks, Run, Settings, load
from tinygrad_mnist.app.training_report import TrainingReport

HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>\u2028"
SETTINGS = {
    "logistic": Settings(lr=0.1, epochs=3),
    "mlp": Settings(model="mlp", stage="module", optimizer="adam", lr=0.002, epochs=3),
    "cnn": Settings(model="cnn", stage="module", optimizer="adam", lr=0.005, epochs=3),
}
STROKES = {
    "three": [
        [(0.3, 0.27), (0.42, 0.17), (0.58, 0.18), (0.66, 0.3), (0.6, 0.43), (0.45, 0.49)],
        [(0.45, 0.49), (0.6, 0.54), (0.69, 0.67), (0.6, 0.81), (0.42, 0.84), (0.28, 0.75)],
    ],
    "small seven": [[(0.1, 0.15), (0.32, 0.15), (0.2, 0.45)], [(0.15, 0.3), (0.3, 0.3)]],
    "upright": [[(0.5, 0.2), (0.5, 0.8)]],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """For each model a run on a few digits, and its page, which was copied after each epoch."""
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((640, 300, 10))]
    digits = from_pixels(parts, "synthetic", f"digits {HOSTILE}").map(torch.from_numpy)
    folder = tmp_path_factory.mktemp("pages")

    def trained(name):
        path = folder / f"{name}.html"

        class Copy(Callback):
            def epoch(self, epoch):
                shutil.copy(path, folder / f"{name} {epoch.epoch}.html")

        run = Run(SETTINGS[name])
        with TrainingReport(path, run, digits, HOSTILE) as report:
            run.train(digits, Callbacks(report, Copy()))
        model = MODELS[name]()
        parameters = {key: torch.from_numpy(p) for key, p in run.result.parameters.items()}
        model.load_state_dict(parameters)
        return path, run, model, digits

    return {name: trained(name) for name in SETTINGS}


def opened(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector("main[data-ready]")
    return page


def draw(page, strokes):
    """Draws with the pointer; a place is a share of the canvas."""
    canvas = page.locator("canvas.pad")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=2)
        page.mouse.up()


def numbers(page):
    """What the page tells programs, once it has caught up with what is drawn."""
    details = page.locator("details", has=page.locator("textarea"))
    details.evaluate("each => each.open = true")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return json.loads(page.locator("textarea").input_value())


def drawn(page, path):
    """The drawing as `predict` reads it from a picture."""
    url = page.locator("canvas.pad").evaluate("each => each.toDataURL('image/png')")
    path.write_bytes(base64.b64decode(url.split(",")[1]))
    return pictures.read(path)


def check(page, model, pixels):
    """Holds the page's numbers to Python's for these pixels."""
    told = numbers(page)
    np.testing.assert_allclose(told["pixels"], pixels, rtol=0, atol=1e-5)
    x = torch.from_numpy(pixels[None]).requires_grad_()
    scores = model(x)
    expected = scores.detach().numpy()[0]
    np.testing.assert_allclose(told["scores"], expected, rtol=0, atol=1e-5)
    scores[0, told["digit"]].backward()
    np.testing.assert_allclose(told["gradient"], x.grad.numpy()[0], rtol=0, atol=1e-5)
    added = x.grad.numpy()[0] * pixels
    np.testing.assert_allclose(told["contributions"], added, rtol=0, atol=1e-5)
    total = sum(told["contributions"]) + told["bias"]
    assert total == pytest.approx(told["scores"][told["digit"]], abs=1e-9)
    shown = page.locator(".scores td.number:nth-child(4)").all_text_contents()
    rounded = [f"{score:.2f}".replace("-0.00", "0.00") for score in told["scores"]]
    assert shown == [score.replace("-", "\u2212") for score in rounded]
    return told


@pytest.mark.parametrize("name", SETTINGS)
def test_scores_and_gradients_of_a_drawing_are_the_engines(runs, page, tmp_path, name):
    path, _, model, _ = runs[name]
    page.emulate_media(color_scheme="dark" if name == "cnn" else "light")
    opened(page, path)
    for strokes in STROKES.values() if name == "mlp" else [STROKES["three"]]:
        page.get_by_role("button", name="Clear").click(force=True)
        draw(page, strokes)
        numbers(page)
        told = check(page, model, drawn(page, tmp_path / "drawn.png"))
        assert told["digit"] == np.argmax(told["scores"])
    other = (told["digit"] + 1) % 10
    page.get_by_label(f"Look at the score of {other}").click()
    assert check(page, model, drawn(page, tmp_path / "drawn.png"))["digit"] == other
    if name == "logistic":
        assert told["bias"] == pytest.approx(model.bias[told["digit"]].item(), abs=1e-7)
    assert page.get_by_role("button", name="Undo").is_enabled()


def test_drawing_by_keyboard(runs, page, tmp_path):
    path, _, model, _ = runs["mlp"]
    opened(page, path)
    page.locator("canvas.pad").focus()
    for key in (" ", *["ArrowDown"] * 12, *["Shift+ArrowRight"] * 2, " ", "ArrowUp"):
        page.keyboard.press(key)
    assert page.locator(".drawing .out-of-sight").text_content().startswith("Pen up, 70 % across")
    numbers(page)
    ink = check(page, model, drawn(page, tmp_path / "drawn.png"))["pixels"]
    assert np.count_nonzero(np.array(ink) > 0.5) > 30
    page.get_by_role("button", name="Undo").press("Enter")
    assert numbers(page) is None


def test_drawing_by_touch(runs, browser, tmp_path):
    path, _, model, _ = runs["logistic"]
    context = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True)
    page = opened(context.new_page(), path)
    page.locator("canvas.pad").scroll_into_view_if_needed()
    box, scrolled = page.locator("canvas.pad").bounding_box(), page.evaluate("scrollY")
    session = context.new_cdp_session(page)
    for kind, shares in ("Start", [0.2]), ("Move", [0.5]), ("Move", [0.8]), ("End", []):
        points = [{"x": box["x"] + 100, "y": box["y"] + y * box["height"]} for y in shares]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    numbers(page)
    ink = check(page, model, drawn(page, tmp_path / "drawn.png"))["pixels"]
    assert np.count_nonzero(np.array(ink).reshape(28, 28).max(1) > 0.5) == 20
    assert page.evaluate("scrollY") == scrolled
    context.close()


def test_a_sample_is_seen_as_it_is_until_it_is_drawn_on(runs, page, tmp_path):
    path, _, model, digits = runs["cnn"]
    opened(page, path)
    x, y = (each.numpy() for each in digits.valid)
    page.get_by_label("Load a 4").click()
    check(page, model, x[np.argmax(y == 4)])
    draw(page, [[(0.2, 0.2), (0.8, 0.2)]])
    numbers(page)
    check(page, model, drawn(page, tmp_path / "drawn.png"))
    page.get_by_role("button", name="Undo").click()
    check(page, model, x[np.argmax(y == 4)])


def test_mistakes_are_those_of_the_model(runs, page):
    path, _, model, digits = runs["logistic"]
    opened(page, path)
    x, y = digits.valid
    counts = evaluation.evaluate(model, x, y).confusion
    cells = page.locator("table.confusion button").all_text_contents()
    assert cells == [str(count) if count else "·" for count in counts.flat]
    worst = np.unravel_index(np.argmax(counts - np.diag(np.diag(counts))), counts.shape)
    digit, taken = (int(each) for each in worst)
    page.get_by_label(f"{digit} taken for {taken}: {counts[worst]}").click()
    assert page.locator(".worst h3").text_content().startswith(f"{digit} taken for {taken}: ")
    page.locator("button.mistake").first.click()
    assert np.argmax(numbers(page)["scores"]) == taken
    assert page.evaluate("document.activeElement.className") == "pad"
    page.get_by_label(f"{digit} taken for {taken}: {counts[worst]}").focus()
    page.keyboard.press("ArrowRight" if taken < 9 else "ArrowLeft")
    beside = taken + 1 if taken < 9 else taken - 1
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith(f"{digit} t")
    assert focused.endswith(f": {counts[digit, beside]}")


def test_weights_as_they_changed(runs, page):
    path, run, _, _ = runs["logistic"]
    opened(page, path)
    bar = page.get_by_label("Moment of the training")
    when = page.locator(".when")
    assert when.text_content().startswith("After step 30, epoch 3.00: loss ")

    def middle():
        """The weight in the middle of the digit 0 that the page reads out."""
        page.locator(".pair canvas").first.click(position={"x": 126, "y": 126})
        told = page.locator(".pair .heat-readout").first.text_content()
        place, number = told.replace("\u2212", "-").split(" = ")
        row, column = json.loads(place)
        return row * 28 + column, float(number)

    at, last = middle()
    weights = run.result.parameters["weights"]
    kept = float(np.abs(weights).max()) / 100
    assert last == pytest.approx(weights[at, 0], abs=kept)
    bar.press("Home")
    assert when.text_content().startswith("Before the first step")
    first = Run(SETTINGS["logistic"]).job.parameters["weights"].detach().numpy()
    assert middle()[1] == pytest.approx(first[at, 0], abs=kept)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()


def test_a_page_of_a_run_that_goes_on_loads_itself_anew(runs, lone_page, tmp_path):
    page = lone_page
    path, _, _, _ = runs["mlp"]
    live = tmp_path / "live.html"
    shutil.copy(path.with_name("mlp 1.html"), live)
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(seconds=1))
    opened(page, live)
    assert page.locator(".status .told").text_content().startswith("Training: epoch 2 of 3.")
    page.evaluate("scrollTo(0, 400)")
    shutil.copy(path.with_name("mlp 2.html"), live)
    page.clock.fast_forward(2_500)
    page.get_by_text("Training: epoch 3 of 3.").wait_for()
    page.wait_for_selector("main[data-ready]")
    assert page.evaluate("scrollY") == 400
    page.locator("canvas.pad").press(" ")
    shutil.copy(path, live)
    page.clock.fast_forward(60_000)
    assert not page.get_by_role("checkbox").is_checked()
    page.get_by_role("button", name="Reload").click()
    page.get_by_text("Trained: 3 of 3 epochs.").wait_for()


def test_a_page_that_is_not_written_any_more_says_so(runs, lone_page):
    page = lone_page
    path, _, _, _ = runs["mlp"]
    page.clock.install(time=datetime.now() + timedelta(hours=1))
    opened(page, path.with_name("mlp 1.html"))
    assert "the run may have ended without a word" in page.text_content(".status")
    assert page.get_by_role("checkbox").count() == 0


def test_nothing_harms_that_a_page_is_told(runs, page, tmp_path):
    path, run, _, _ = runs["logistic"]
    opened(page, path)
    assert HOSTILE in page.locator(".facts").text_content()
    other = tmp_path / "drawing.html"
    document = drawing.page("logistic", run.result.parameters, HOSTILE)
    other.write_text(document, encoding="utf-8")
    opened(page, other)
    assert page.text_content("h1") == f"Draw a digit for {HOSTILE}"
    assert page.evaluate("window.harmed") is None


def test_all_can_use_it(runs, page, axe):
    path, _, _, _ = runs["mlp"]
    opened(page, path)
    draw(page, STROKES["three"])
    numbers(page)
    page.locator("summary").first.click()
    for width, scheme in (360, "light"), (1280, "dark"):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, axe) == []


def test_picture_of_the_documentation(browser, runs, mnist_directory, tmp_path):
    """With `PICTURES` in the environment of a whole run, else of the small one."""
    path = runs["logistic"][0]
    if "PICTURES" in os.environ:
        digits, run, path = load(str(mnist_directory)), Run(Settings()), tmp_path / "page.html"
        with TrainingReport(path, run, digits) as report:
            run.train(digits, report)
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    page = opened(context.new_page(), path)
    draw(page, STROKES["three"])
    numbers(page)
    page.locator("summary", has_text="The numbers").click()
    assert page.locator(".best").text_content().startswith("It sees a 3, ")
    picture = Path(os.environ.get("PICTURES", tmp_path), "drawing.png")
    page.locator("section", has=page.locator("canvas.pad")).screenshot(path=picture)
    assert 10_000 < picture.stat().st_size < 150_000
    context.close()
