"""The page of a backward pass: its numbers are the engine's, and everybody can use it.

With `PICTURES=docs/images` in the environment the pictures of the documentation are taken again.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinygrad_mnist as torch
import tinygrad_mnist.nn.functional as F
from tests.browser.conftest import violations
from tinygrad_mnist import nn
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.explainer.output.html import document

HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>\u2028"
BRIEF = 6e-4
"""Four digits are this near."""


def twice(a, b):
    return (a * b + a) ** 2


def broadcast(x, row, column):
    shifted = x + row
    return (shifted * column).reshape(3, 2).sum(0).mean()


def classify(x, weights, target):
    scores = x @ weights
    return F.cross_entropy(scores, target)


def recurrence(h, w):
    for _ in range(40):
        h = torch.tanh(h * w)
    return h.sum()


def curvature(x):
    (slope,) = torch.autograd.grad(x**3 * x.sin(), x, create_graph=True)
    return slope.backward()


def nearly(x):
    return (x * 1.0001).sum()


def leaf(*shape, seed=0):
    numbers = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return torch.tensor(numbers, requires_grad=True)


@pytest.fixture(scope="module")
def passes():
    """Passes as the page reads them, by name."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    target = torch.tensor([0, 2, 1, 1])
    drawn, labels = synthetic.draw(32)
    images = torch.from_numpy(drawn).reshape(32, 784).float() / 255
    found = {
        "square": torch.explain(twice, 0.5, -1.2),
        "broadcast": torch.explain(broadcast, leaf(2, 3), leaf(3), leaf(2, 1)),
        "logistic": torch.explain(classify, images, leaf(784, 10), torch.tensor(labels).long()),
        "layers": torch.explain(lambda x: F.cross_entropy(layers(x), target), leaf(4, 6)),
        "curvature": torch.explain(curvature, 1.5, step=2),
        "nearly": torch.explain(nearly, leaf(2)),
        "recurrence": torch.explain(recurrence, leaf(3), leaf(3, seed=3)),
    }
    return {name: each.to_json() for name, each in found.items()}


def written(folder, data, title="A pass"):
    path = folder / "page.html"
    path.write_text(document(title, "explain", data, deflated=True), encoding="utf-8")
    return path.as_uri()


def opened(page, address):
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


@pytest.fixture
def show(page, tmp_path, passes):
    """Opens the page of a pass, perhaps at a step."""
    return lambda name, end="": opened(page, written(tmp_path, passes[name]) + end)


def read(text):
    return np.float32(text.replace("\u2212", "-").replace("∞", "inf"))


def numbers(data, index):
    """The numbers of an array that the data holds in plain."""
    return [np.float32(each) for each in data["arrays"][index]["numbers"]]


def place(page):
    return page.text_content(".place")


def picks(block):
    return [read(each) for each in block.locator(".pick").all_text_contents()]


def last_lines(block):
    return [read(each) for each in block.locator(".equation > :last-child").all_text_contents()]


def known_gradients(data, now):
    """The nodes whose gradient is complete after a step."""
    arrivals = {}
    for step in data["steps"]:
        for each in step.get("contributions", []):
            arrivals[each["to"]] = step["number"]
        if step["phase"] == "backward":
            arrivals.setdefault(step["node"], step["number"])
    return {node for node, step in arrivals.items() if step <= now}


def check_step(page, data, step):
    panel = page.locator(".panel")
    if step["phase"] == "forward":
        value = data["nodes"][step["node"]]["value"]
        assert picks(panel.locator(".block")) == numbers(data, value)
    if step["phase"] == "accumulate":
        held = numbers(data, step["array"])
        assert picks(panel.locator(".block")) == held
    if step["phase"] != "backward":
        return
    arrived = panel.locator(".block").first
    assert picks(arrived) == numbers(data, step["gradient"])
    for each in step["contributions"]:
        block = panel.locator(f'[data-to="{each["to"]}"][data-argument="{each["argument"]}"]')
        have = numbers(data, each["array"])
        assert picks(block) == have
        assert last_lines(block)[0] in have
        assert block.locator("math").count() == 1


GRADIENTS = """() => [...document.querySelectorAll("[data-node] .slot.gradient .few")].map(
    (each) => [
        Number(each.closest("[data-node]").dataset.node),
        getComputedStyle(each).visibility === "visible",
        [...each.children].map((number) => number.textContent),
    ]
)"""


def check_cards(page, data, now):
    """Gradients on cards are those that are known, and no others."""
    known = known_gradients(data, now)
    for node, visible, texts in page.evaluate(GRADIENTS):
        assert visible == (node in known)
        gradient = numbers(data, data["nodes"][node]["gradient"]["array"])
        assert [read(each) for each in texts] == pytest.approx(gradient, rel=BRIEF)


@pytest.mark.parametrize("name", ["square", "broadcast"])
def test_every_number_on_the_way_is_the_engines(show, passes, name):
    data = passes[name]
    page = show(name)
    for step in data["steps"]:
        assert place(page) == f"{step['number'] + 1} of {len(data['steps'])}"
        check_step(page, data, step)
        check_cards(page, data, step["number"])
        assert page.locator(".mismatch").count() == 0
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    assert place(page).startswith("1 of")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert place(page).startswith(f"{len(data['steps']) - 1} of")


def test_contributions_stand_on_their_edges_and_are_added_up(show, passes):
    data = passes["square"]
    page = show("square")
    assert page.locator(".chip").count() == 0
    page.keyboard.press("End")
    to_a = [
        each for step in data["steps"] for each in step.get("contributions", []) if each["to"] == 0
    ]
    parts = [numbers(data, each["array"])[0] for each in to_a]
    chips = [read(each) for each in page.locator(".chip").all_text_contents()]
    assert len(parts) == 2
    assert all(any(abs(chip - part) <= BRIEF * abs(part) for chip in chips) for part in parts)
    page.goto(page.url.split("#")[0] + f"#step={len(data['steps'])}")
    lines = page.locator(".panel .block .equation span").all_text_contents()
    assert any(" + " in line or " \u2212 " in line for line in lines if "from" not in line)


def test_what_was_broadcast_is_drawn_and_summed(show, passes):
    step = next(
        step for step in passes["broadcast"]["steps"]
        if any(each["summed"] for each in step.get("contributions", []))
    )  # fmt: skip
    page = show("broadcast", f"#step={step['number'] + 1}")
    each = next(each for each in step["contributions"] if each["summed"])
    block = page.locator(f'.contribution[data-to="{each["to"]}"]')
    assert block.locator(".axis.changed").count() == len(each["summed"])
    assert "summed" in block.locator(".axes").get_attribute("aria-label")


def test_numbers_read_as_the_formula_has_them(show, passes):
    steps = passes["nearly"]["steps"]
    (mul,) = (
        each for each in steps if each["phase"] == "backward" and "1.0001" in json.dumps(each)
    )
    page = show("nearly", f"#step={mul['number'] + 1}")
    lines = page.locator(".contribution .equation span").all_text_contents()
    assert "g[0] · 1.0001" in lines or "g[1] · 1.0001" in lines
    assert "1 · 1.0001" in lines
    assert "1.0001, 1.0001" in page.locator(".chip").all_text_contents()


def test_show_leads_to_the_gradient_that_differs(page, tmp_path, passes):
    data = json.loads(json.dumps(passes["square"]))
    wrong = {"ok": False, "ulp": 9.0, "largest": 0.5, "elements": 1, "note": None}
    for node in data["nodes"][:2]:
        node["gradient"]["checks"]["pytorch"] = wrong
    opened(page, written(tmp_path, data))
    page.locator(".summary").get_by_role("button", name="Show").click()
    assert known_gradients(data, int(place(page).split()[0]) - 1) & {0, 1}
    selected = page.locator(".card.selected").get_attribute("data-node")
    assert selected in ("0", "1")
    assert page.locator(f"[data-details='{selected}'] .checks .bad").is_visible()
    assert "at most 0.5 apart, 9 ulp" in page.text_content(".checks")


def test_links_lead_to_a_step(show):
    page = show("square", "#step=3")
    assert place(page).startswith("3 of")
    page.evaluate("location.hash = '#step=5'")
    page.locator(".place", has_text="5 of").wait_for()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash") == "#step=6"
    page.locator(".scrub").fill("1")
    assert place(page).startswith("2 of")


def test_play_runs_to_the_end_and_stops(show):
    page = show("square", "#step=6")
    page.select_option(".transport select", label="fast")
    page.get_by_role("button", name="Play").click()
    page.locator(".place", has_text="8 of 8").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.get_by_role("button", name="Pause").wait_for()
    assert not place(page).startswith("8 of")


def test_boxes_open_and_close_by_pointer_and_keys(show):
    page = show("layers")
    box = page.locator(".open-box", has_text="cross_entropy")
    cards = page.locator(".card").count()
    box.locator("button").click()
    assert box.count() == 0
    assert page.locator(".card").count() < cards
    page.keyboard.press("Enter")
    assert box.count() == 1
    assert page.locator(".card").count() == cards
    assert page.text_content(".graph-count").startswith(f"{cards} cards")


def test_gradients_of_gradients_are_a_layer_that_can_be_hidden(show, passes):
    page = show("curvature")
    second = [each for each in passes["curvature"]["nodes"] if each["order"] == 2]
    drawn = page.locator('.card[data-order="2"], .open-box[data-order="2"]')
    assert second
    assert drawn.count() > len(second)
    page.get_by_role("button", name="Gradients of gradients").click()
    assert drawn.count() == 0
    page.get_by_role("button", name="Gradients of gradients").click()
    assert drawn.count() > len(second)


def test_the_graph_is_walked_with_arrow_keys(show):
    page = show("square")
    page.locator(".card-title[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(".card.selected").get_attribute("data-node") == "2"
    page.keyboard.press("Escape")
    assert page.locator(".card.selected").count() == 0


def test_a_line_leads_to_its_nodes_and_a_node_to_its_line(show, passes):
    data = passes["square"]
    page = show("square")
    line = data["nodes"][2]["source"]["line"]
    code = page.locator(".code li").nth(line - 1)
    code.locator("button").click()
    made = sum(each["source"] == data["nodes"][2]["source"] for each in data["nodes"])
    assert page.locator(".card.marked").count() == made > 1
    page.keyboard.press("Home")
    page.locator("[data-node='2']").click()
    assert page.locator("[data-details='2']").is_visible()
    assert "lit" in code.get_attribute("class")


def test_a_heat_map_reads_out_exact_numbers(show, passes):
    data = passes["logistic"]
    page = show("logistic")
    weights = next(each for each in data["nodes"] if each["shape"] == [784, 10])
    page.locator(f"[data-node='{weights['id']}'] .card-title").click()
    picture = page.locator(".panel canvas.heat").first
    picture.focus()
    page.keyboard.press("ArrowRight")
    readout = page.locator(".panel .heat-readout").first.text_content()
    index, text = readout.split(" = ")
    row, column = json.loads(index)
    expected = leaf(784, 10).detach().numpy()[row, column]
    assert np.float32(read(text)) == expected


def test_a_long_pass_is_drawn_in_part(show, passes):
    data = passes["recurrence"]
    page = show("recurrence")
    total = len(data["nodes"])
    assert total > 80
    assert page.text_content(".graph-count").endswith(f"for {total} nodes")
    assert page.locator(".card").count() < 30
    page.keyboard.press("End")
    assert page.locator(".card.current").count() == 1


def test_text_in_a_pass_does_no_harm(page, tmp_path, passes):
    data = json.loads(json.dumps(passes["layers"]))
    data["title"] = HOSTILE
    data["sources"] = [{"name": HOSTILE, "text": HOSTILE * 3}]
    for node in data["nodes"]:
        node.update(name=HOSTILE, says=HOSTILE, attributes={HOSTILE: HOSTILE})
        node["source"] = {"file": 0, "line": 1}
    for scope in data["scopes"]:
        scope.update(name=HOSTILE, type=HOSTILE)
    data["loops"] = [{"name": HOSTILE, "nodes": [5], "source": HOSTILE}]
    data["notes"] = [HOSTILE]
    data["why"] = [
        {"node": 5, "cause": HOSTILE, "paragraph": HOSTILE, "chain": [5, 6], "fix": HOSTILE}
    ]
    opened(page, written(tmp_path, data, HOSTILE))
    for _ in data["steps"]:
        page.keyboard.press("ArrowRight")
    page.locator(".loop summary").click()
    page.get_by_role("button", name="Show in the graph").first.click()
    assert page.evaluate("window.harmed") is None
    assert page.text_content("h1") == HOSTILE
    assert page.locator(".marked").count() > 0


def test_axe_finds_nothing(page, axe, tmp_path, passes):
    opened(page, written(tmp_path, passes["broadcast"] | {"notes": ["A note."]}))
    views = [(360, "light", "Home"), (360, "dark", "End"), (1280, "light", "End")]
    for width, colours, key in [*views, (1280, "dark", "Home")]:
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 800})
        page.keyboard.press(key)
        page.keyboard.press("ArrowLeft")
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("name", "title", "colours", "step"),
    [
        ("square", "(a·b + a)²", "light", -3),
        ("logistic", "One step of logistic regression", "dark", -2),
    ],
)
def test_pictures_of_the_documentation(browser, tmp_path, passes, name, title, colours, step):
    folder = Path(os.environ.get("PICTURES", tmp_path))
    context = browser.new_context(
        viewport={"width": 1200, "height": 720}, color_scheme=colours, reduced_motion="reduce"
    )
    page = context.new_page()
    number = len(passes[name]["steps"]) + 1 + step
    data = passes[name] | {"title": title, "notes": []}
    opened(page, written(tmp_path, data, title) + f"#step={number}")
    taken = Image.open(io.BytesIO(page.screenshot()))
    picture = folder / f"explain-{name}.png"
    taken.convert("RGB").quantize(192).save(picture, optimize=True)
    assert 10_000 < picture.stat().st_size < 120_000
    context.close()
