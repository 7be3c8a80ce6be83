"""A run's page in a browser that has no network."""

import io
from urllib.parse import quote

import matplotlib.image
import numpy as np
import pytest
from browser import browsing
from invented_run import records_of_a_run, write_run

from gossip_trainer.page.write import write_run_page

pytestmark = pytest.mark.timeout(120)

HOSTILE = "</script><img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def page(folder):
    write_run_page([write_run(folder / "digits", records_of_a_run())], folder / "report.html")
    return f"file://{folder / 'report.html'}"


@pytest.fixture(scope="module")
def browser(folder):
    with browsing(folder / "browser") as tab:
        yield tab


@pytest.fixture
def tab(browser, page):
    """The page, just opened."""
    browser.requests.clear()
    browser.errors.clear()
    browser.open("about:blank")
    browser.open(page)
    return browser


def shown(tab):
    """Return the classes of the pictures of charts that are to be seen."""
    return tab.evaluate(
        "[...document.querySelectorAll('.variant')].filter(e => e.checkVisibility())"
        ".map(e => e.getAttribute('class'))"
    )


def test_it_opens_without_a_fault_and_asks_for_nothing_else(tab, page):
    assert tab.errors == []
    assert [each for each in tab.requests if each != "about:blank"] == [page]


def test_its_curves_are_drawn(tab):
    widths = tab.evaluate(
        "[...document.querySelectorAll('.variant.seconds.linear .line')]"
        ".map(e => e.getBoundingClientRect().width)"
    )

    assert len(widths) == 6
    assert min(widths) > 200


def test_time_and_a_linear_scale_come_first(tab):
    assert shown(tab) == ["variant seconds linear"] * 4


def test_a_choice_shows_other_pictures(tab):
    tab.evaluate("document.getElementById('axis-samples').click()")
    assert shown(tab) == ["variant samples linear"] * 4

    tab.evaluate("document.getElementById('scale-log').click()")
    assert shown(tab) == ["variant samples log"] * 4


def test_the_address_may_choose(tab, page):
    tab.open("about:blank")
    tab.open(f"{page}#axis=bytes&scale=log")

    assert shown(tab) == ["variant bytes log"] * 4


def test_choices_work_without_a_script(folder, page):
    with browsing(folder / "without-script") as tab:
        tab.without_script()
        tab.open(page)
        assert shown(tab) == ["variant seconds linear"] * 4

        tab.evaluate("document.getElementById('axis-bytes').click()")
        assert shown(tab) == ["variant bytes linear"] * 4


def test_a_curve_that_is_not_ticked_is_hidden(tab):
    display = "getComputedStyle(document.querySelector('.variant.seconds.linear .s1')).display"
    assert tab.evaluate(display) == "inline"

    tab.evaluate("document.querySelector('.legend .t1').click()")

    assert tab.evaluate(display) == "none"
    assert tab.evaluate(display.replace("s1", "s0")) == "inline"


def test_the_values_under_the_pointer_are_told(tab):
    left, top, width, height = tab.evaluate(
        "(() => { const e = document.querySelector('.variant.seconds.linear');"
        "e.scrollIntoView(); const b = e.getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]; })()"
    )
    tab.move(left + width / 2, top + height / 2)

    told = tab.evaluate("document.querySelector('.readout').textContent")
    assert "averaged model" in told
    assert " s" in told


def test_the_keyboard_goes_from_point_to_point(tab):
    tab.evaluate("document.querySelector('.variant.seconds.linear').focus()")
    readout = "document.querySelector('.readout').textContent"

    tab.press("ArrowRight")
    assert tab.evaluate(readout).startswith("1.000 saveraged model 1.648")

    tab.press("ArrowRight")
    assert tab.evaluate(readout).startswith("2.000 s")

    tab.press("End")
    assert "averaged model 0.08205" in tab.evaluate(readout)


def test_every_control_can_be_reached_by_the_keyboard(tab):
    reached = set()
    for _ in range(16):
        tab.press("Tab")
        reached.add(tab.evaluate("document.activeElement.tagName.toLowerCase()"))

    assert {"input", "svg"} <= reached


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_not_blank_in_any_light(folder, page, dark):
    with browsing(folder / f"light-{dark}") as tab:
        if dark:
            tab.dark()
        tab.open(page)
        picture = matplotlib.image.imread(io.BytesIO(tab.screenshot()))

    ground = picture[2, 2, :3].mean()
    assert (ground < 0.3) == dark
    assert len(np.unique(picture[..., :3].round(1).reshape(-1, 3), axis=0)) > 20


def test_text_from_a_run_stays_text(tab, folder):
    hostile = write_run(folder / "hostile", records_of_a_run())
    events = hostile / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b"killed by SIGKILL", HOSTILE.encode()))
    job = hostile / "job.yaml"
    job.write_text(f"{job.read_text()}# {HOSTILE}\n")
    to = folder / "hostile.html"
    write_run_page([hostile], to)
    tab.open(f"file://{quote(str(to))}")

    assert tab.evaluate("document.images.length") == 0
    assert tab.evaluate("document.title") == "digits: Gossip, 4 workers"
    assert HOSTILE in tab.evaluate("document.body.textContent")
    assert tab.errors == []
